import { createPrivateKey, X509Certificate } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { readRequest } from "../../../certs/csr.ts";
import { hostDoorName, hostDoorNameOfId } from "../../../certs/host-door.ts";
import { HOST_DOOR } from "../../../certs/profiles.ts";
import { signStatement } from "../../../certs/statement.ts";
import { DIRECT_LIST_CONTEXT, LONGEST_DIRECT_LIST_MS } from "../../../proto/direct/list.ts";
import type { RenewDirectAccessResponseSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { DirectAccessListSchema } from "../../../proto/gen/hps/v1/direct_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { selectCertificate } from "../../store/certificates.ts";
import type { NewChange } from "../../store/changes.ts";
import { clusterById, selectClusters } from "../../store/clusters.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { selectHostIds, selectOperatorKeys } from "../../store/direct-access.ts";
import { type HostRecord, hostById } from "../../store/hosts.ts";
import { selectLiveGrants } from "../../store/shell-grants.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { Authority } from "../identity/authority.ts";
import type { ServerKeyPair } from "../identity/server-credentials.ts";
import type { Presence } from "../presence/presence.ts";
import { type DirectFacts, isDirect, planDirectList } from "./direct-list.ts";
import type { RecordingMode } from "./recording.ts";

export interface DirectAccessDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly changes: Pick<Changes, "listen">;
  readonly authority: Pick<Authority, "sign">;
  readonly presence: Pick<Presence, "isAttached" | "tell">;
  readonly recording: RecordingMode;
  /** For the log: whom it could not be told. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** What rights to enter hang on. Of certificates only operators' count. */
const KINDS: readonly NewChange["kind"][] = ["cluster", "host", "operator", "grant", "certificate"];
/** What changes together is told together. */
const GATHER_MS = 300;
/** Of a large cluster: agents told at a time, and the pause between, so that they do not all ask at once. */
const TOLD_AT_ONCE = 50;
const TELL_PAUSE_MS = 100;
const PAGE = 500;

/** The lists by which agents let operators in while no hpsd is there: signed when an agent asks, and asked for anew when they change. */
export class DirectAccess implements Disposable {
  readonly #deps: DirectAccessDeps;
  /** `*` for all clusters. */
  readonly #due = { clusters: new Set<string>(), hosts: new Set<string>() };
  #telling: Promise<void> | undefined;
  #counter = 0;
  #stopped = false;

  constructor(deps: DirectAccessDeps) {
    this.#deps = deps;
    deps.changes.listen((change) => this.#changed(change));
  }

  /** No agent is told any more. */
  [Symbol.dispose](): void {
    this.#stopped = true;
  }

  /** Whether the hosts of a cluster are to have lists. */
  async isOn(db: Db, clusterId: string): Promise<boolean> {
    const cluster = await clusterById(db, clusterId);
    return cluster !== undefined && isDirect(cluster.shellPolicy, this.#deps.recording);
  }

  /** A new list and certificate for the agent of this host. `precondition` where the direct way is off. */
  async renew(
    hostId: string,
    request: Uint8Array,
    signer: ServerKeyPair,
  ): Promise<MessageInitShape<typeof RenewDirectAccessResponseSchema>> {
    const { store, authority, recording, clock } = this.#deps;
    const publicKey = readRequest(Buffer.from(request));
    const issuedAt = clock();
    const facts = await store.read((db) => readFacts(db, hostId, issuedAt));
    if (!isDirect(facts.policy, recording)) throw isOff(facts);
    const list = this.#list(facts, issuedAt);
    const { chainPem } = await authority.sign({
      ...{ kind: "host", subject: hostId, publicKey, profile: HOST_DOOR, lifetimeMs: LONGEST_DIRECT_LIST_MS },
      ...namesOf(facts, new X509Certificate(signer.chain)),
    });
    const signature = signStatement(createPrivateKey(signer.key), DIRECT_LIST_CONTEXT, list);
    return { list, signature: new Uint8Array(signature), signerChain: signer.chain, certificateChain: chainPem };
  }

  #list(facts: ReadFacts, issuedAt: number): Uint8Array<ArrayBuffer> {
    const { host, cluster, policy } = facts;
    const { reasonRequired, timeLimit, idleLimit, recordInput } = policy;
    // Newer lists count more, also within a millisecond and when the clock was put back while this hpsd runs.
    this.#counter = Math.max(this.#counter + 1, issuedAt);
    const listEnd = issuedAt + LONGEST_DIRECT_LIST_MS;
    const operators = planDirectList({ ...facts, listEnd }).map(({ name, keys, until }) => ({
      name,
      keys: keys.map((key) => new Uint8Array(Buffer.from(key, "hex"))),
      ...(until !== undefined && { expireTime: timestampFromMs(until) }),
    }));
    const list = create(DirectAccessListSchema, {
      ...{ hostId: host.id, host: host.name, cluster, counter: BigInt(this.#counter), operators },
      ...{ issueTime: timestampFromMs(issuedAt), expireTime: timestampFromMs(listEnd), reasonRequired, recordInput },
      ...(timeLimit > 0 && { timeLimit: durationFromMs(timeLimit) }),
      ...(idleLimit > 0 && { idleLimit: durationFromMs(idleLimit) }),
    });
    return toBinary(DirectAccessListSchema, list);
  }

  #changed({ kind, objectId, clusterId }: NewChange): void {
    if (this.#stopped || !KINDS.includes(kind)) return;
    if (kind === "certificate") void this.#certificateChanged(objectId);
    else if (kind === "host") this.#tellSoon("hosts", objectId);
    else this.#tellSoon("clusters", clusterId ?? "*");
  }

  async #certificateChanged(serial: string): Promise<void> {
    try {
      const found = await this.#deps.store.read((db) => selectCertificate(db, serial));
      if (found?.kind === "operator") this.#tellSoon("clusters", "*");
    } catch (error) {
      this.#deps.onError(error);
      this.#tellSoon("clusters", "*");
    }
  }

  #tellSoon(what: "clusters" | "hosts", id: string): void {
    this.#due[what].add(id);
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
    });
  }

  async #tell(): Promise<void> {
    const { clusters, hosts } = this.#due;
    while (!this.#stopped && clusters.size + hosts.size > 0) {
      await delay(GATHER_MS, undefined, { ref: false });
      const due = { clusters: [...clusters], hosts: [...hosts] };
      clusters.clear();
      hosts.clear();
      try {
        await this.#tellAll(await this.#deps.store.read((db) => this.#touched(db, due)));
      } catch (error) {
        if (!this.#stopped) this.#deps.onError(error);
      }
    }
  }

  async #tellAll(told: readonly Told[]): Promise<void> {
    const { presence } = this.#deps;
    const there = told.filter(({ hostId }) => presence.isAttached(hostId));
    for (let at = 0; at < there.length && !this.#stopped; at += TOLD_AT_ONCE) {
      if (at > 0) await delay(TELL_PAUSE_MS, undefined, { ref: false });
      for (const { hostId, on } of there.slice(at, at + TOLD_AT_ONCE)) {
        presence.tell(hostId, { case: "refreshDirectAccess", value: { on } });
      }
    }
  }

  /** A cluster that was changed itself may just have been switched off; of others only those that are on matter. */
  async #touched(
    db: Db,
    due: { readonly clusters: readonly string[]; readonly hosts: readonly string[] },
  ): Promise<Told[]> {
    const clusters = due.clusters.includes("*") ? await this.#clustersOn(db) : due.clusters;
    const told = new Map<string, Told>();
    for (const id of clusters) {
      const on = await this.isOn(db, id);
      for (const hostId of await selectHostIds(db, id)) told.set(hostId, { hostId, on });
    }
    for (const hostId of due.hosts) {
      const host = told.has(hostId) ? undefined : await hostById(db, hostId);
      if (host !== undefined && (await this.isOn(db, host.clusterId))) told.set(hostId, { hostId, on: true });
    }
    return [...told.values()];
  }

  async #clustersOn(db: Db): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let after = "", page = await pageOf(db, after); page.length > 0; page = await pageOf(db, after)) {
      const on = page.filter(({ shellPolicy }) => isDirect(shellPolicy, this.#deps.recording));
      ids.push(...on.map(({ id }) => id));
      after = page.at(-1)?.name ?? "";
    }
    return ids;
  }
}

interface Told {
  readonly hostId: string;
  readonly on: boolean;
}

interface ReadFacts extends Omit<DirectFacts, "listEnd" | "host"> {
  readonly host: HostRecord;
}

async function pageOf(db: Db, after: string) {
  return await selectClusters(db, { clusters: "all", after, limit: PAGE });
}

async function readFacts(db: Db, hostId: string, now: number): Promise<ReadFacts> {
  const host = await hostById(db, hostId);
  const cluster = host && (await clusterById(db, host.clusterId));
  if (host === undefined || cluster === undefined) throw new HpsError("not-found", "the host was just deleted");
  const { id: clusterId, name, shellPolicy: policy } = cluster;
  const grants = await selectLiveGrants(db, clusterId, now);
  const keys = await selectOperatorKeys(db, clusterId, now);
  return { host, cluster: name, clusterId, policy, grants, keys, now };
}

/** What an operator may ask for it by: its name in HPS, its name in DNS, its addresses; never a name that is hpsd's own. */
function namesOf({ host, cluster }: ReadFacts, hpsd: X509Certificate) {
  const { id, name, domain, addresses } = host;
  const full = domain === "" ? [] : [`${name}.${domain}`];
  const isHpsd = (host: string) => hpsd.checkHost(host, { subject: "never" }) !== undefined;
  return {
    dnsNames: [hostDoorName(cluster, name), hostDoorNameOfId(id), ...full.filter((host) => !isHpsd(host))],
    ipAddresses: addresses.filter((address) => hpsd.checkIP(address) === undefined),
  };
}

function isOff({ cluster }: ReadFacts): HpsError {
  return new HpsError("precondition", `hosts of cluster ${cluster} cannot be entered directly: it is off`, {
    hint: "hpsctl cluster edit CLUSTER --shell-direct on; hpsd must not record strictly",
  });
}
