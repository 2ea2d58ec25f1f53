/** For tests of the gate: the whole core over a real store and authority, with one known host. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { type KeyPair, makeKey } from "../../../certs/key.ts";
import type { Claim } from "../../../proto/config/claim.ts";
import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../../proto/values/endpoint.ts";
import { type Facts, parseFacts } from "../../../proto/values/facts.ts";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseHttpsUrl } from "../../../proto/values/https-url.ts";
import { parseIpAddress } from "../../../proto/values/ip-address.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { parseObjectName } from "../../../proto/values/object-name.ts";
import { VERSION } from "../../../proto/values/program-version.ts";
import { selectAudit } from "../../store/audit.ts";
import type { HpsStore } from "../../store/database.ts";
import { type Core, openCore } from "../core.ts";
import { initAuthority } from "../identity/init-authority.ts";
import { LIFETIME } from "../identity/lifetimes.ts";
import { operatorCaller } from "../testing/callers.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { TEST_PASSPHRASE_COST } from "../testing/test-identity.ts";
import type { BootAsk } from "./boot-gate.ts";

export const MAC = parseMac("52:54:00:00:00:01");
export const OTHER_MAC = parseMac("52:54:00:00:00:99");
export const ADDRESS = parseIpAddress("10.0.0.11");
export const OTHER_ADDRESS = parseIpAddress("10.0.0.99");
export const FACTS = parseFacts({ macs: [MAC], serial: "S1" });
export const ROOT = operatorCaller("admin");
export const MINUTE = 60_000;

export interface GateRig extends AsyncDisposable {
  readonly core: Core;
  readonly store: HpsStore;
  /** Milliseconds; moves when a test says so. */
  readonly time: { now: number };
  readonly hostId: string;
  /** Opens the host's window for an hour; the installation. */
  readonly arm: () => Promise<string>;
  /** What DHCP tells: this machine has this address for an hour. */
  readonly lease: (mac: string, address: string) => void;
  /** The host asks how to boot, with `change`. */
  readonly boot: (change?: Partial<BootAsk>) => ReturnType<Core["gate"]["boot"]["boot"]>;
  /** The host boots into the installer and fetches its claim. */
  readonly claim: () => Promise<Claim>;
  readonly enrol: (claim: Pick<Claim, "token">, as?: { readonly keys?: KeyPair; readonly facts?: Facts }) => Enrolling;
  /** An agent of the host, attached. */
  readonly attach: () => ReturnType<Core["presence"]["attach"]>;
  /** State of the host's open installation. */
  readonly state: () => Promise<string | undefined>;
}

type Enrolling = ReturnType<Core["gate"]["enrolment"]["enrol"]>;

export async function openGateRig(admission: "armed" | "approve" = "armed"): Promise<GateRig> {
  const store = await openTestStore();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-gate-"));
  const time = { now: Date.now() };
  const core = await coreIn(folder, store, () => time.now);
  const cluster = await core.clusters.create(ROOT_ACTOR, parseObjectName("lab"), {
    ...{ description: "", domain: parseDomainName("lab.example.org"), admission },
  });
  const { id: hostId } = await core.hosts.create(ROOT, cluster.id, {
    ...{ name: parseHostName("web01"), macs: [MAC], addresses: [ADDRESS], profile: "", tags: new Map() },
    ...{ resume: "never", network: "dhcp" },
  });
  const { gate, presence, installations } = core;
  const lease = (mac: string, address: string) =>
    gate.leases.seen({ mac, address, seenAt: time.now, expiresAt: time.now + 60 * MINUTE });
  lease(MAC, ADDRESS);
  const boot = (change: Partial<BootAsk> = {}) =>
    gate.boot.boot({ mac: MAC, address: ADDRESS, neighbour: { mac: MAC }, inventory: new Map(), ...change });
  return {
    ...{ core, store, time, hostId, lease, boot },
    arm: async () => (await installations.arm(ROOT, hostId, { image: "", wipeDiskSerials: [] })).id,
    claim: async () => {
      const decision = await boot();
      if (decision.kind !== "install") return expect.unreachable(decision.kind);
      return await gate.claims.fetch({ claimId: decision.claimId, address: ADDRESS, neighbour: { mac: MAC } });
    },
    enrol: ({ token }, { keys = makeKey(), facts = FACTS } = {}) =>
      gate.enrolment.enrol({ token, publicKey: keys.publicKey, facts, address: ADDRESS }),
    attach: () =>
      presence.attach({
        ...{ identity: "spiffe://lab/installer/x", hostId, clusterId: cluster.id, runId: "r", address: ADDRESS },
        ...{ version: VERSION, send: () => undefined, close: () => undefined },
      }),
    state: async () => (await store.read((db) => installations.openOf(db, hostId)))?.state,
    [Symbol.asyncDispose]: async () => {
      core.directAccess[Symbol.dispose]();
      await core.refusals.flush();
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const ROOT_ACTOR = { actor: "hpsd", action: "test", address: "" };

async function coreIn(folder: string, store: HpsStore, clock: () => number): Promise<Core> {
  const [stateFolder, rootKeyOut] = [path.join(folder, "state"), path.join(folder, "root.key")];
  await initAuthority({
    store,
    stateFolder,
    clock,
    trustDomain: "lab.example.org",
    rootKeyOut,
    passphrase: "long enough",
    passphraseCost: TEST_PASSPHRASE_COST,
  });
  const addresses = { grpc: parseEndpoint("hpsd:7443"), https: parseHttpsUrl("https://hpsd:7444") };
  return await openCore({
    ...{ store, stateFolder, clock, version: VERSION },
    settings: {
      ...{ claimTtl: 10 * MINUTE, contactWindow: 10 * MINUTE, leaseGrace: 0 },
      ...{ heartbeat: 30_000, goneAfter: 90_000, logSize: 1_000_000 },
      imageLimits: { imageSize: 1_000_000, librarySize: 1_000_000 },
      sharedTags: 0,
      ...{ recording: "strict", recordingQuotas: { sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 } },
      lifetimes: LIFETIME,
      addresses: () => addresses,
    },
    onError: (what, error) => expect.unreachable(`${what}: ${String(error)}`),
  });
}

/** That it is refused for this reason, with exactly one audit event, whose incident the asker is shown. */
export async function expectRefused(
  { store }: Pick<GateRig, "store">,
  asked: Promise<unknown>,
  reason: string | RegExp,
): Promise<void> {
  const read = () => store.read((db) => selectAudit(db, { clusters: "all", outcome: "refused", limit: 100 }));
  const error = await asked.then(
    (answer) => expect.unreachable(`was let in: ${JSON.stringify(answer)}`),
    (refused: unknown) => refused,
  );
  if (!(error instanceof HpsError)) throw error;
  expect(error).toMatchObject({ code: "denied", message: expect.stringMatching(reason) });
  const events = (await read()).filter(({ incident }) => incident === error.details.incident);
  expect(events).toHaveLength(1);
  expect(events[0]?.reason).toMatch(reason);
}

/** How many refusals the audit log has. */
export async function refusalCount({ store }: Pick<GateRig, "store">): Promise<number> {
  return (await store.read((db) => selectAudit(db, { clusters: "all", outcome: "refused", limit: 1_000 }))).length;
}
