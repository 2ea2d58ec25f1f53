/** For tests: hpsd's real store in a folder of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { newUuid } from "../../../proto/values/uuid.ts";
import { type HpsStore, openHpsStore } from "../../store/database.ts";
import { emptyStore } from "../../store/empty-store.ts";
import type { Tables } from "../../store/schema/tables.ts";
import { LentStore } from "./lent-store.ts";

/** Empty stores that wait for their next test, when they are kept. */
let idle: HpsStore[] | undefined;

/** From now on a store is emptied after use and used again by this process: its threads take longest to start. */
export function keepTestStores(): void {
  idle ??= [];
}

/** A store with nothing in it, gone with the scope. */
export async function openTestStore(): Promise<HpsStore & AsyncDisposable> {
  const kept = idle;
  if (kept === undefined) return await openIn("hps-core-");
  const store = kept.pop() ?? (await openIn("hps-kept-"));
  return new LentStore(store, async () => {
    await emptyStore(store);
    kept.push(store);
  });
}

async function openIn(prefix: string): Promise<HpsStore & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), prefix));
  const store = await openHpsStore(path.join(folder, "hps.db"));
  const dispose = async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  return Object.assign(store, { [Symbol.asyncDispose]: dispose });
}

/** A cluster of this name (default `lab`); its id. */
export async function addTestCluster(store: HpsStore, name = "lab"): Promise<string> {
  const id = newUuid();
  const history = { created_at: 1, updated_at: 1, revision: 1 };
  await store.write(async (tx) => {
    const cluster = { id, name, description: "", domain: `${name}.example.org`, admission: "armed" as const };
    await tx
      .insertInto("cluster")
      .values({ ...cluster, ...history })
      .execute();
  });
  return id;
}

/** A host of the cluster without MACs; its id. */
export async function addTestHost(
  store: HpsStore,
  clusterId: string,
  host: Partial<Pick<Tables["host"], "name" | "resume" | "installed_at">> = {},
): Promise<string> {
  const id = newUuid();
  await store.write(async (tx) => {
    await tx
      .insertInto("host")
      .values({
        id,
        cluster_id: clusterId,
        name: `h${id.slice(-8)}`,
        profile: "",
        resume: "never",
        installed_at: null,
        agent_version: "",
        boot_json: null,
        created_at: 1,
        updated_at: 1,
        revision: 1,
        ...host,
      })
      .execute();
  });
  return id;
}
