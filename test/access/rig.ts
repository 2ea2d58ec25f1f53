/** hpsd's core and gRPC door as `serve` composes them, and a second look into its database. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { type Authority, openAuthority } from "../../certs/authority.ts";
import { readPrivateKeyPem } from "../../certs/key.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { type Core, openCore } from "../../server/core/core.ts";
import { initAuthority } from "../../server/core/identity/init-authority.ts";
import { LIFETIME } from "../../server/core/identity/lifetimes.ts";
import { ServerCredentials } from "../../server/core/identity/server-credentials.ts";
import { systemStatus } from "../../server/core/system/status.ts";
import { operatorCaller } from "../../server/core/testing/callers.ts";
import { TEST_PASSPHRASE_COST } from "../../server/core/testing/test-identity.ts";
import { addTestImage, addTestOperator } from "../../server/core/testing/test-rows.ts";
import { createRpcDoor } from "../../server/rpc/rpc-door.ts";
import { openHpsStore } from "../../server/store/database.ts";

const PASSPHRASE = "correct horse";
export const TRUST_DOMAIN = "test.example";
/** Prepares what is there before anyone calls. */
export const ROOT = operatorCaller("admin");

const HOUR = 3_600_000;

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** `change` stands between the core and the door: for the sabotage runs alone. */
export async function openRig(change: (core: Core) => Core = (core) => core) {
  // In memory where there is such a place: a thousand calls wait for the disk, and none of them for its durability.
  const folder = await mkdtemp(path.join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "hps-access-"));
  const rootKeyFile = path.join(folder, "root.key");
  const stateFolder = path.join(folder, "state");
  const file = path.join(folder, "hps.db");
  const store = await openHpsStore(file);
  const time = { offset: 0 };
  const clock = () => Date.now() + time.offset;
  const incidents: unknown[] = [];
  await initAuthority({
    ...{ store, stateFolder, clock, trustDomain: TRUST_DOMAIN, rootKeyOut: rootKeyFile },
    ...{ passphrase: PASSPHRASE, passphraseCost: TEST_PASSPHRASE_COST },
  });
  const core = await openCore({
    ...{ store, stateFolder, clock, version: VERSION },
    settings: {
      ...{
        claimTtl: HOUR,
        contactWindow: HOUR,
        lifetimes: LIFETIME,
        // Under strict no host could be entered directly.
        recording: "best-effort",
        recordingQuotas: { sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 },
        logSize: 1_000_000,
        imageLimits: { imageSize: 1_000_000, librarySize: 2 ** 50 },
        sharedTags: 0,
      },
      ...{ heartbeat: 30_000, goneAfter: 90_000 },
      addresses: () => ({ grpc: parseEndpoint("localhost:7443"), https: parseHttpsUrl("https://localhost:7444") }),
    },
    onError: (what, error) => incidents.push({ what, error }),
  });
  const credentials = await ServerCredentials.open({
    ...{ ...core, name: "hpsd", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] },
    onError: (error) => incidents.push(error),
  });
  const server = createRpcDoor({
    ...{ core: change(core), credentials, version: VERSION },
    onError: (incident) => incidents.push(incident),
    limits: { connectionsPerAddress: 10_000, connections: 10_000 },
    status: (clusters) => {
      const components = [() => ({ name: "store", health: "ok", reason: "" }) as const];
      const sources = { version: VERSION, startedAt: 1_000, components, agents: () => core.presence.agents() };
      return systemStatus(sources, clusters);
    },
    health: { current: () => true, subscribe: () => () => undefined },
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0, certificate: credentials.current });
  const book = watchTables(file);
  const close = async () => {
    book.close();
    await server.stop(1000);
    await core.agents.stop(1000);
    await core.shells.stop(1000);
    core.directAccess[Symbol.dispose]();
    credentials.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  // Whose name ROOT has: open shells are judged by what the store says of their operator.
  await addTestOperator(store, "alice", { "*": "admin" });
  const clusters = { a: await addCluster(core, "a"), b: await addCluster(core, "b") };
  await addTestImage(store, clusters.a, { name: "debian:12" });
  return {
    core,
    server,
    port,
    book,
    time,
    clock,
    incidents,
    root: await openRoot(rootKeyFile, core),
    clusters,
    [Symbol.asyncDispose]: close,
  };
}

/** Its key is for those who sign intermediates, on another machine; opening it takes its time, so once. */
async function openRoot(keyFile: string, { authority }: Core): Promise<Authority> {
  return openAuthority(authority.root, readPrivateKeyPem(await readFile(keyFile, "utf8"), PASSPHRASE));
}

async function addCluster(core: Core, name: string): Promise<string> {
  const who = { actor: "test", action: "test", address: "" };
  // `approve`, so that an agent can wait for its approval.
  const settings = {
    description: "",
    domain: parseDomainName(`${name}.example`),
    admission: "approve",
    shellPolicy: { direct: true },
  } as const;
  return (await core.clusters.create(who, parseObjectName(name), settings)).id;
}

export interface AuditRow {
  readonly sequence: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly cluster_id: string | null;
  readonly outcome: "allowed" | "refused";
  readonly incident: string;
}

/**
 * Triggers count every row that is written, changed or deleted in any table but audit, even when it stays as it was.
 * Nothing that a call does to the store can hide from this.
 */
function watchTables(file: string) {
  const db = new Database(file, { timeout: 5000 });
  const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").pluck();
  const tables = names
    .all()
    .map(String)
    .filter((name) => name !== "audit");
  if (tables.length < 15) throw new Error(`only these tables are watched: ${tables}`);
  db.exec("CREATE TABLE test_touched (name TEXT PRIMARY KEY, times INTEGER NOT NULL)");
  for (const name of tables) {
    db.prepare("INSERT INTO test_touched VALUES (?, 0)").run(name);
    for (const event of ["INSERT", "UPDATE", "DELETE"]) {
      const count = `UPDATE test_touched SET times = times + 1 WHERE name = '${name}'`;
      db.exec(`CREATE TRIGGER "test_${name}_${event}" AFTER ${event} ON "${name}" BEGIN ${count}; END`);
    }
  }
  const touched = db.prepare<[], { name: string; times: number }>("SELECT name, times FROM test_touched");
  const events = db.prepare<[number], AuditRow>("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence");
  const last = (table: "audit" | "change") =>
    Number(db.prepare(`SELECT coalesce(max(sequence), 0) FROM ${table}`).pluck().get());
  return {
    /** How often each table was touched so far. */
    touched: (): ReadonlyMap<string, number> => new Map(touched.all().map(({ name, times }) => [name, times])),
    eventsAfter: (sequence: number): readonly AuditRow[] => events.all(sequence),
    last,
    /** The first column of the first row; undefined when there is none. */
    value: (sql: string, ...parameters: readonly string[]): unknown =>
      db
        .prepare(sql)
        .pluck()
        .get(...parameters),
    close: () => db.close(),
  };
}
