/** For tests of installations: a real store with one host, and what the other modules were asked to do. */
import { parseIdentityUri } from "../../../certs/identity.ts";
import type { VerifiedPeer } from "../../../certs/verify.ts";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../../proto/values/ipv4-network.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import { createGroupCommit } from "../../store/group-commit.ts";
import { Audit, type Clock } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import type { HostEvent } from "../hosts/life-cycle.ts";
import type { Caller, HostPrincipal, InstallerPrincipal, OperatorPrincipal, Principal } from "../identity/principal.ts";
import { Presence } from "../presence/presence.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestImage } from "../testing/test-rows.ts";
import { agentOrders } from "./agent-orders.ts";
import { Agents } from "./agents.ts";
import type { ArmRequest } from "./arm-request.ts";
import { Bell } from "./bell.ts";
import type { AgentOrders } from "./installation-life.ts";
import { Installations } from "./installations.ts";
import { LogQuota } from "./log-quota.ts";

/** A certificate of the right form; its proof is not what these tests are about. */
export function peerOf(identity: string, issuedAt: number): VerifiedPeer {
  const day = 86_400_000;
  return {
    ...parseIdentityUri(`spiffe://example.org/${identity}`),
    uri: `spiffe://example.org/${identity}`,
    serial: "01",
    issuerSerial: "02",
    fingerprint: "aa",
    publicKeyDigest: "bb",
    notBefore: issuedAt - 60_000,
    notAfter: issuedAt + day,
  };
}

function callerOf<P extends Principal>(principal: P): Caller<P> {
  return { principal, action: "hps.v1.AgentService/Attach", address: "192.0.2.7", needs: "viewer" };
}

export const ALICE: Caller<OperatorPrincipal> = {
  principal: {
    kind: "operator",
    id: "alice",
    name: "alice",
    roles: new Map([["*", "admin"]]),
    certificate: peerOf("operator/alice", 0),
  },
  action: "hps.v1.HostService/ArmHost",
  address: "192.0.2.1",
  needs: "operator",
};

export interface OperationsOptions {
  readonly resume?: "never" | "once" | "always";
  readonly log?: { readonly maxCost: number; readonly slack: number };
  readonly helloMs?: number;
}

export type Operations = Awaited<ReturnType<typeof openOperations>>;

export async function openOperations(options: OperationsOptions = {}) {
  const store = await openTestStore();
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId, { name: "web01", resume: options.resume ?? "never" });
  for (const name of ["debian/web:12", "debian:12"]) await addTestImage(store, clusterId, { name });
  const time = { now: 1_800_000_000_000 };
  const core = compose(store, () => time.now, options);
  const { installations } = core;
  const bring = async (request: ArmRequest, events: readonly HostEvent[]): Promise<string> => {
    const { id } = await installations.arm(ALICE, hostId, request);
    for (const event of events) {
      await store.write(async (tx) => void (await installations.apply(tx, id, event, { actor: "test" })));
    }
    return id;
  };
  return {
    ...{ store, clusterId, hostId, time, targetLink: TARGET_LINK, ...core },
    alice: ALICE,
    /** Armed, and brought forward by these events. */
    opened: async (...events: readonly HostEvent[]) =>
      await bring({ image: "debian/web:12", wipeDiskSerials: ["S1"] }, events),
    rescue: async (...events: readonly HostEvent[]) =>
      await bring({ image: "", wipeDiskSerials: [], rescue: true }, events),
    installer: (installationId: string, issuedAt = time.now): Caller<InstallerPrincipal> =>
      callerOf({
        ...{ kind: "installer" as const, installationId, hostId, clusterId },
        certificate: peerOf(`installer/${installationId}`, issuedAt),
      }),
    /** `waiting`: with the certificate that the first attach of the installed system makes valid. */
    host: (waiting = false, issuedAt = time.now): Caller<HostPrincipal> =>
      callerOf({ kind: "host" as const, hostId, clusterId, waiting, certificate: peerOf(`host/${hostId}`, issuedAt) }),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}

/** The modules as hpsd composes them; what others were asked to do is written down. */
function compose(store: HpsStore, clock: Clock, options: OperationsOptions) {
  const asked: string[] = [];
  const ask = (what: string) => async (_: Tx, id: string) => void asked.push(`${what} ${id}`);
  const hooks = {
    voidClaims: ask("void"),
    revokeInstaller: ask("revoke"),
    suspendHost: ask("suspend"),
    resumeHost: ask("resume"),
    revokeHost: ask("revoke host"),
  };
  const alerts: string[] = [];
  const presence = new Presence({ clock, onTwoMachines: ({ identity }) => void alerts.push(identity) });
  const real = agentOrders(presence, (id) => `spiffe://example.org/host/${id}`);
  const orders: AgentOrders = {
    ...real,
    proceed: (id, done) => {
      asked.push(`proceed ${id} ${done.join()}`.trim());
      real.proceed(id, done);
    },
    cancel: (id, reason, restart) => {
      asked.push(`cancel ${id}`);
      real.cancel(id, reason, restart);
    },
  };
  const shared = {
    ...{ clock, audit: new Audit(store, clock), changes: new Changes(store, clock), bell: new Bell() },
  };
  const isAttached = (id: string) => presence.isAttached(id);
  const restartAt = (id: string) => presence.restartAt(id);
  const others = { isAttached, restartAt, pendingOf: nobodyWaits, targetLink: TARGET_LINK };
  const installations = new Installations({ ...shared, store, hooks, orders, ...others });
  const agents = new Agents({
    ...{ ...shared, presence, life: installations, quota: new LogQuota(options.log) },
    ...{ commits: createGroupCommit(store), refusals: shared.audit },
    validateWaiting: ask("validate"),
    serverVersion: "0.1.0",
    heartbeatMs: 20_000,
    ...(options.helloMs !== undefined && { helloMs: options.helloMs }),
  });
  return { asked, installations, agents, presence, alerts, ...shared };
}

const TARGET_LINK = {
  network: parseIpv4Network("192.0.2.0/24"),
  gateway: parseIpv4("192.0.2.1"),
  nameServers: [parseIpv4("192.0.2.2")],
};

async function nobodyWaits(): Promise<undefined> {
  return undefined;
}
