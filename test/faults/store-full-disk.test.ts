import { readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Store } from "../../server/store/open-store.ts";
import { openSample, type SampleSchema, sampleFolder } from "../../server/store/sample-store.ts";
import { smallDisk } from "./small-disk.ts";

/** Of the disk, in MiB. */
const SIZE = 4;

/** Leaves `spare` bytes free. */
function fill(disk: string, spare = 0): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(path.join(disk, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - spare)));
}

async function add(store: Store<SampleSchema>, id: number, length = 20_000): Promise<void> {
  await store.write(async (tx) => {
    const blob = Buffer.alloc(length, id);
    await tx.insertInto("machine").values({ id, rack: "r1", note: null, blob, big: null }).execute();
  });
}

async function ids(store: Store<SampleSchema>): Promise<number[]> {
  const rows = await store.read(async (db) => await db.selectFrom("machine").select("id").orderBy("id").execute());
  return rows.map(({ id }) => id);
}

/** Writes until refused; the acknowledged numbers and the refusal. */
async function writeUntilRefused(store: Store<SampleSchema>, from: number, length?: number) {
  const acknowledged: number[] = [];
  for (let id = from; id < from + 10_000; id += 1) {
    try {
      await add(store, id, length);
      acknowledged.push(id);
    } catch (error) {
      return { acknowledged, error };
    }
  }
  return { acknowledged, error: undefined };
}

const FULL = { code: "exhausted", message: "the store's disk is full", hint: expect.stringMatching(/free space/) };

test("a full disk refuses writes, loses nothing acknowledged, and needs no restart", async () => {
  using mounted = smallDisk(SIZE);
  const disk = mounted.path;
  const file = path.join(disk, "hps.db");
  const store = await openSample(file, { readers: 1 });
  const kept: number[] = [];
  for (const [round, length] of [20_000, 300, 3_000].entries()) {
    fill(disk, 256 << 10);
    const { acknowledged, error } = await writeUntilRefused(store, round * 10_000 + 1, length);
    expect(error).toBeInstanceOf(HpsError);
    expect(error).toMatchObject(FULL);
    expect(acknowledged.length).toBeGreaterThan(0);
    kept.push(...acknowledged);
    // Still full: refused again, and what is there can be read.
    await expect(add(store, 999_999, 20_000)).rejects.toMatchObject(FULL);
    expect(await ids(store)).toEqual(kept);
    rmSync(path.join(disk, "ballast"));
    const id = round * 10_000 + 9_999;
    await add(store, id);
    kept.push(id);
  }
  expect(await store.integrityCheck()).toEqual([]);
  await store.close();
  await using again = await openSample(file, { readers: 1 });
  expect(await ids(again)).toEqual(kept);
});

test("a write that overlooks the failure of one of its statements is still all or nothing", async () => {
  using mounted = smallDisk(SIZE);
  await using store = await openSample(path.join(mounted.path, "hps.db"), { readers: 1 });
  fill(mounted.path, 512 << 10);
  const row = (id: number, length: number) => ({ id, rack: "r1", note: null, blob: Buffer.alloc(length), big: null });
  const refusals: unknown[] = [];
  const careless = store.write(async (tx) => {
    for (const [id, length] of [1, 20_000_000, 100].entries()) {
      await tx
        .insertInto("machine")
        .values(row(id, length))
        .execute()
        .catch((error: unknown) => refusals.push(error));
    }
  });
  const done = await careless.then(
    () => true,
    () => false,
  );
  expect(refusals[0]).toMatchObject(FULL);
  expect(await ids(store)).toEqual(done ? [0, 2] : []);
});

test("a backup that does not fit leaves neither a copy nor a piece of one, and the store works", async () => {
  await using folder = await sampleFolder();
  using mounted = smallDisk(SIZE);
  const disk = mounted.path;
  await using store = await openSample(folder.file, { readers: 1 });
  for (let id = 1; id <= 60; id += 1) await add(store, id, 100_000);
  await expect(store.backup(path.join(disk, "copy.db"))).rejects.toMatchObject({ code: "exhausted" });
  expect(readdirSync(disk)).toEqual([]);
  await add(store, 61);
  expect(await ids(store)).toHaveLength(61);
});
