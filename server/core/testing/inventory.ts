/** For tests: the inventory over a real store, with what its colleagues would do recorded. */
import type { HpsStore, Tx } from "../../store/database.ts";
import { createGroupCommit } from "../../store/group-commit.ts";
import { Audit } from "../audit/audit.ts";
import { AuditLog } from "../audit/audit-log.ts";
import { Changes } from "../changes/changes.ts";
import { Clusters } from "../clusters/clusters.ts";
import { Contacts } from "../hosts/contacts.ts";
import { watchHosts } from "../hosts/host-watch.ts";
import { Hosts } from "../hosts/hosts.ts";
import { Access, type VisibleClusters } from "../identity/access.ts";
import { type Caller, EVERYWHERE, type OperatorPrincipal, type Role } from "../identity/principal.ts";
import type { AttachedAgent } from "../system/status.ts";
import { openTestStore } from "./open-test-store.ts";

export type Inventory = Awaited<ReturnType<typeof openInventory>>;

export async function openInventory() {
  const store = await openTestStore();
  const clock = tickingClock();
  const audit = new Audit(store, clock);
  const changes = new Changes(store, clock);
  const attached = new Map<string, AttachedAgent>();
  const revoked: string[] = [];
  const closed: string[] = [];
  const isAttached = (hostId: string) => attached.has(hostId);
  const faults = { revocation: false };
  const revokeCertificates = async (_: Tx, hostId: string) => {
    if (faults.revocation) throw new Error("no revocation today");
    revoked.push(hostId);
  };
  const onDeleted = (hostId: string) => void closed.push(hostId);
  const base = { store, clock, audit, changes };
  return {
    ...base,
    access: new Access(store, audit),
    auditLog: new AuditLog(store, audit.written),
    clusters: new Clusters(base),
    hosts: new Hosts({ ...base, isAttached, revokeCertificates, onDeleted }),
    contacts: new Contacts({ store, clock, writes: createGroupCommit(store), keep: 20 }),
    watchHosts: (clusters: VisibleClusters, after: number, signal: AbortSignal) =>
      watchHosts({ store, changes, isAttached }, clusters, after, signal),
    /** What is attached, by host id. */
    attached,
    /** Ids of the hosts whose certificates were revoked, and of those that were closed after their end. */
    revoked,
    closed,
    failRevocation: () => {
      faults.revocation = true;
    },
    /** Unexpected errors of handlers. */
    incidents: [] as unknown[],
    caller,
    root: caller("root", { [EVERYWHERE]: "admin" }, { action: "test", needs: "admin" }),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}

/** One millisecond later each time it is asked, so that order by time is order of events. */
function tickingClock(): () => number {
  let now = Date.UTC(2026, 0, 1);
  return () => {
    now += 1;
    return now;
  };
}

function caller(
  name: string,
  roles: Readonly<Record<string, Role>>,
  call: { readonly action: string; readonly needs: Role },
): Caller<OperatorPrincipal> {
  const identity = { kind: "operator", name } as const;
  const certificate = {
    ...{
      identity,
      trustDomain: "test.example",
      uri: `spiffe://test.example/operator/${name}`,
      serial: "01",
      issuerSerial: "02",
    },
    ...{ fingerprint: "f", publicKeyDigest: "p", notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER },
  };
  const principal = { kind: "operator", id: name, name, roles: new Map(Object.entries(roles)), certificate } as const;
  return { principal, address: "192.0.2.99", ...call };
}

/** Writes an open installation of this host, as the operations would. */
export async function holdHost(store: HpsStore, changes: Changes, hostId: string, state: string): Promise<string> {
  const id = `installation-of-${hostId}`;
  await store.write(async (tx) => {
    const host = await tx.selectFrom("host").select("cluster_id").where("id", "=", hostId).executeTakeFirstOrThrow();
    const clusterId = host.cluster_id;
    await tx
      .insertInto("installation")
      .values({
        ...{ id, host_id: hostId, cluster_id: clusterId, state, outcome: "open", reason: "", image: "debian:12.9" },
        ...{ wipe_json: '["S1"]', armed_by: "root", window_end_at: 9, created_at: 1, ended_at: null, facts_json: null },
        ...{ resumed: 0, last_journal: 0, last_log: 0, revision: 1 },
      })
      .execute();
    await changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: false });
  });
  return id;
}
