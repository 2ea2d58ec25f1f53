/** For tests of the engine: a store of one small schema in a folder of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Migration } from "./migrate.ts";
import { type OpenStoreOptions, openStore, type Store } from "./open-store.ts";

export interface SampleSchema {
  rack: { name: string };
  machine: { id: number; rack: string; note: string | null; blob: Uint8Array | null; big: number | bigint | null };
}

export const SAMPLE_MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-rack",
    async up(db) {
      await db.schema
        .createTable("rack")
        .addColumn("name", "text", (column) => column.primaryKey())
        .execute();
    },
  },
  {
    name: "0002-machine",
    async up(db) {
      await db.schema
        .createTable("machine")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("rack", "text", (column) => column.notNull().references("rack.name"))
        .addColumn("note", "text", (column) => column.unique())
        .addColumn("blob", "blob")
        .addColumn("big", "integer")
        .execute();
    },
  },
];

export interface SampleFolder extends AsyncDisposable {
  readonly path: string;
  readonly file: string;
}

/** A folder that goes away with the scope it was made in. */
export async function sampleFolder(): Promise<SampleFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-store-"));
  return {
    path: folder,
    file: path.join(folder, "hps.db"),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  };
}

/** The sample store with the rack "r1" in it, and one reader: starting a thread takes longer than most of what is tried with it. */
export async function openSample(
  file: string,
  options: Partial<OpenStoreOptions> = {},
): Promise<Store<SampleSchema> & AsyncDisposable> {
  const store = await openStore<SampleSchema>({ file, migrations: SAMPLE_MIGRATIONS, readers: 1, ...options });
  await store.write(async (tx) => {
    await tx
      .insertInto("rack")
      .values({ name: "r1" })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
  return Object.assign(store, { [Symbol.asyncDispose]: async () => await store.close() });
}
