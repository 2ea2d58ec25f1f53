import { readdir } from "node:fs/promises";
import Database from "better-sqlite3";
import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Migration } from "./migrate.ts";
import { openStore } from "./open-store.ts";
import { openSample, SAMPLE_MIGRATIONS, type SampleSchema, sampleFolder } from "./sample-store.ts";

const addColumn: Migration = {
  name: "0003-serial",
  async up(db) {
    await db.schema.alterTable("machine").addColumn("serial", "text").execute();
  },
};

/** Fails half way: after a table was made and a row changed. */
const halfWay: Migration = {
  name: "0003-half",
  async up(db) {
    await db.schema.createTable("half").addColumn("id", "integer").execute();
    await db.updateTable("machine").set({ note: "changed" }).execute();
    await db.schema.createTable("machine").addColumn("id", "integer").execute();
  },
};

/** As SQLite's manual rebuilds a table: dropping it would empty what refers to it, were foreign keys on. */
const rebuild: Migration = {
  name: "0003-rebuild",
  async up(db) {
    await db.schema
      .createTable("rack2")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("row", "text")
      .execute();
    await sql`INSERT INTO rack2 (name) SELECT name FROM rack`.execute(db);
    await db.schema.dropTable("rack").execute();
    await db.schema.alterTable("rack2").renameTo("rack").execute();
  },
};

const orphan: Migration = {
  name: "0003-orphan",
  async up(db) {
    await db.deleteFrom("rack").execute();
  },
};

async function makeStore(file: string): Promise<void> {
  await using store = await openSample(file);
  await store.write(async (tx) => {
    await tx.insertInto("machine").values({ id: 1, rack: "r1", note: "n", blob: null, big: null }).execute();
  });
}

/** The whole schema and the sample row, as text. */
function state(file: string): string {
  const db = new Database(file, { readonly: true });
  const asked = [
    "SELECT sql FROM sqlite_schema ORDER BY name",
    "SELECT name FROM migration ORDER BY position",
    "SELECT * FROM machine",
  ];
  const rows = asked.map((query) => db.prepare(query).all());
  db.close();
  return JSON.stringify(rows);
}

const open = async (file: string, ...more: readonly Migration[]) =>
  await openStore<SampleSchema>({ file, migrations: [...SAMPLE_MIGRATIONS, ...more], readers: 1 });

/** Opens and closes it; nobody reads. */
async function pass(file: string, ...more: readonly Migration[]): Promise<void> {
  await (await openStore<SampleSchema>({ file, migrations: [...SAMPLE_MIGRATIONS, ...more], readers: 0 })).close();
}

async function copies(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /before-migration-.*Z$/.test(name)).sort();
}

test("a failing migration leaves schema, rows and record as they were", async () => {
  await using folder = await sampleFolder();
  await makeStore(folder.file);
  const before = state(folder.file);
  await expect(open(folder.file, halfWay)).rejects.toMatchObject({
    code: "internal",
    message: "the migration 0003-half failed; the store is as it was before it",
  });
  expect(state(folder.file)).toBe(before);
  await pass(folder.file, addColumn);
});

test("a migration may rebuild a table others refer to, but not leave broken references", async () => {
  await using folder = await sampleFolder();
  await makeStore(folder.file);
  const before = state(folder.file);
  await expect(open(folder.file, orphan)).rejects.toMatchObject({
    message: expect.stringMatching(/0003-orphan failed/),
  });
  expect(state(folder.file)).toBe(before);
  const store = await open(folder.file, rebuild);
  expect(await store.integrityCheck()).toEqual([]);
  expect(await store.read(async (db) => await db.selectFrom("machine").select("rack").execute())).toEqual([
    { rack: "r1" },
  ]);
  const removing = store.write(async (tx) => await tx.deleteFrom("rack").execute());
  await expect(removing).rejects.toMatchObject({ kind: "foreign-key" });
  await store.close();
});

test("a store of a newer hpsd, or of another history, is refused and not touched", async () => {
  await using folder = await sampleFolder();
  await makeStore(folder.file);
  await pass(folder.file, addColumn);
  const before = state(folder.file);
  await expect(open(folder.file)).rejects.toMatchObject({
    code: "precondition",
    message: "the store has the migration 0003-serial, which this hpsd does not know",
    hint: expect.stringMatching(/newer/),
  });
  const reordered = [...SAMPLE_MIGRATIONS].reverse();
  await expect(openStore({ file: folder.file, migrations: reordered })).rejects.toMatchObject({ code: "precondition" });
  expect(state(folder.file)).toBe(before);
});

test("an existing store is copied before it is changed, and few copies are kept", async () => {
  await using folder = await sampleFolder();
  await makeStore(folder.file);
  expect(await copies(folder.path)).toEqual([]);
  const before = state(folder.file);
  const later: Migration[] = [];
  for (const number of [3, 4, 5, 6, 7]) {
    later.push({ ...addColumn, name: `000${number}`, up: async (db) => await addTable(db, number) });
    await pass(folder.file, ...later);
    await pass(folder.file, ...later);
    const kept = await copies(folder.path);
    expect(kept).toHaveLength(Math.min(number - 2, 3));
    if (number === 3) expect(state(`${folder.path}/${kept[0]}`)).toBe(before);
  }
});

async function addTable(db: Parameters<Migration["up"]>[0], number: number): Promise<void> {
  await db.schema.createTable(`extra${number}`).addColumn("id", "integer").execute();
}
