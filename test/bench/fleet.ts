/** Fills the store of an hpsd that is not running: hosts, installations, and certificates signed by its own authority. */
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { type Identity, openIdentity } from "../../server/core/identity/open-identity.ts";
import type { SignedCertificate } from "../../server/core/identity/signed-certificate.ts";
import { addTestOperator } from "../../server/core/testing/test-rows.ts";
import { type HpsStore, openHpsStore, type Tx } from "../../server/store/database.ts";

/** A client of hpsd, as TLS needs it; PEM. */
export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

export interface FleetAgent extends Credentials {
  /** Empty for an installed host. */
  readonly installationId: string;
}

export interface Fleet {
  readonly ca: string;
  readonly operator: Credentials;
  /** For the server compared with. */
  readonly server: Credentials;
  readonly hostIds: readonly string[];
  readonly agents: readonly FleetAgent[];
}

export interface FleetOptions {
  readonly hosts: number;
  /** Every tenth host has an open installation, the others run what was installed; each with its agent's certificate. */
  readonly withAgents: boolean;
}

const DAY = 86_400_000;
/** Hosts in a transaction. */
const BATCH = 200;

export async function fillStore(state: string, { hosts, withAgents }: FleetOptions): Promise<Fleet> {
  const store = await openHpsStore(`${state}/hpsd.db`);
  try {
    const identity = await openIdentity({ store, stateFolder: state, clock: Date.now });
    const clusterId = await onlyCluster(store);
    const made: MadeHost[] = [];
    for (let at = 0; at < hosts; at += BATCH) {
      const wanted = Array.from({ length: Math.min(BATCH, hosts - at) }, (_, index) => at + index);
      const batch = await Promise.all(wanted.map((number) => makeHost(identity, number, withAgents)));
      await store.write(async (tx) => {
        for (const host of batch) await insertHost(tx, identity, clusterId, host);
      });
      made.push(...batch);
    }
    const operator = await makeOperator(identity);
    return {
      ca: identity.authority.rootPem,
      operator,
      server: (await sign(identity, "server", "bare")).credentials,
      hostIds: made.map(({ id }) => id),
      agents: made.flatMap(({ agent, installationId }) => (agent ? [{ ...agent.credentials, installationId }] : [])),
    };
  } finally {
    await store.close();
  }
}

interface Signed {
  readonly certificate: SignedCertificate;
  readonly credentials: Credentials;
}

interface MadeHost {
  readonly id: string;
  readonly number: number;
  readonly installationId: string;
  readonly agent: Signed | undefined;
}

async function makeHost(identity: Identity, number: number, withAgents: boolean): Promise<MadeHost> {
  const id = newUuid();
  const installationId = withAgents && number % 10 === 0 ? newUuid() : "";
  if (!withAgents) return { id, number, installationId, agent: undefined };
  const agent =
    installationId === "" ? await sign(identity, "host", id) : await sign(identity, "installer", installationId);
  return { id, number, installationId, agent };
}

async function makeOperator(identity: Identity): Promise<Credentials> {
  const { certificate, credentials } = await sign(identity, "operator", "measurer");
  await addTestOperator(identity.store, "measurer", { "*": "admin" });
  await identity.store.write((tx) => identity.certificates.record(tx, certificate, { state: "valid" }));
  return credentials;
}

type Kind = "operator" | "host" | "installer" | "server";

async function sign(identity: Identity, kind: Kind, subject: string): Promise<Signed> {
  const { publicKey, privateKey } = makeKey();
  const names = kind === "server" ? { dnsNames: ["localhost"] } : {};
  const certificate = await identity.authority.sign({ kind, subject, publicKey, lifetimeMs: DAY, ...names });
  return { certificate, credentials: { key: privateKeyPem(privateKey), cert: certificate.chainPem } };
}

async function onlyCluster(store: HpsStore): Promise<string> {
  const { id } = await store.read((db) => db.selectFrom("cluster").select("id").executeTakeFirstOrThrow());
  return id;
}

async function insertHost(tx: Tx, identity: Identity, clusterId: string, host: MadeHost): Promise<void> {
  const { id, number, installationId, agent } = host;
  const name = `node${String(number).padStart(5, "0")}`;
  const mac = `52:54:00:${[number >> 16, number >> 8, number].map((byte) => (byte & 255).toString(16).padStart(2, "0")).join(":")}`;
  const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  const history = { created_at: 1, updated_at: 1, revision: 1 };
  const state = { installed_at: installationId === "" ? 1 : null, agent_version: "", boot_json: null };
  await tx.batch([
    tx.insertInto("host").values({
      ...{ id, cluster_id: clusterId, name, profile: "web", resume: "never" },
      ...state,
      ...history,
    }),
    tx.insertInto("host_mac").values({ mac, host_id: id, ordinal: 0 }),
    tx.insertInto("host_address").values({ address, host_id: id, ordinal: 0 }),
    tx.insertInto("host_tag").values({ host_id: id, key: "rack", value: `r${number % 40}` }),
  ]);
  if (installationId !== "") await insertInstallation(tx, { id: installationId, host_id: id, cluster_id: clusterId });
  if (agent !== undefined) {
    await identity.certificates.record(tx, agent.certificate, { hostId: id, clusterId, state: "valid" });
  }
}

async function insertInstallation(tx: Tx, whose: { id: string; host_id: string; cluster_id: string }): Promise<void> {
  const state = { state: "installing", outcome: "open", reason: "", wipe_json: "[]", facts_json: null } as const;
  const times = { window_end_at: Number.MAX_SAFE_INTEGER, created_at: 1, ended_at: null };
  const counts = { resumed: 0, last_journal: 0, last_log: 0, revision: 1 };
  const order = { image: "debian:12", armed_by: "bench" };
  await tx
    .insertInto("installation")
    .values({ ...whose, ...order, ...state, ...times, ...counts })
    .execute();
}
