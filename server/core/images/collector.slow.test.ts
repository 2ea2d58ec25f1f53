import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { openImageRig } from "./testing.ts";
import { readPacks } from "./testing-packs.ts";
import { noise, type TestImage, testImage, upload } from "./testing-upload.ts";

const MIB = 1 << 20;
const HOUR = 3_600_000;
const WHO = { actor: "test", action: "image.collect", address: "" };
type Rig = Awaited<ReturnType<typeof openImageRig>>;
const openRig = async () => await openImageRig({ maxBytes: 256 * MIB });
const filesOf = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, noise(name, MIB / 4 + name.length)]));
const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => `file-${String(from + at * step).padStart(3, "0")}`);

async function brought(rig: Rig, name: string, image: TestImage, library = rig.a) {
  return await upload({ uploads: rig.uploads, clusterId: clusterOf(library), name, image });
}

function clusterOf(library: string): string | undefined {
  return library === "shared" ? undefined : library;
}

/** As an agent does that was told of these packs: every object, each checked. */
async function readBack(rig: Rig, name: string, image: TestImage) {
  const row = await rig.images.get(rig.a, name);
  const packs = await rig.images.packsOf(row);
  await readPacks(rig.images, image, packs);
  return packs;
}

async function changed(
  rig: Rig,
  installation: string,
  change: { readonly created_at: number } | { readonly outcome: "cancelled" },
) {
  const update = (tx: Tx) => tx.updateTable("installation").set(change).where("id", "=", installation).execute();
  await rig.store.write(async (tx) => void (await update(tx)));
}

/** A pack of six full frames of which one image still needs two. */
async function mostlyWaste(rig: Rig) {
  await brought(rig, "all:1", testImage(filesOf(...range(0, 90))));
  const kept = testImage(filesOf(...range(0, 15), ...range(75, 90)));
  await brought(rig, "kept:1", kept);
  await rig.images.delete(ALICE, rig.a, "all:1");
  return kept;
}

test("a pack that is mostly waste is made anew of what is needed, and goes when nobody can be reading it", async () => {
  await using rig = await openRig();
  const kept = await mostlyWaste(rig);
  const [old] = await readBack(rig, "kept:1", kept);
  const installation = await addTestInstallation(rig.store, await addTestHost(rig.store, rig.a), rig.a);
  const collected = await rig.collector.collect(rig.a, WHO);
  expect(collected).toMatchObject({ retiredPacks: 1, retiredBytes: old?.sizeBytes, madePacks: 1, damaged: [] });
  expect(collected.madeBytes).toBeLessThan((old?.sizeBytes ?? 0) * 0.35);
  const packs = await readBack(rig, "kept:1", kept);
  expect(packs.map(({ digest }) => digest)).not.toContain(old?.digest);
  expect(packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(collected.madeBytes);
  expect((await rig.audited()).at(-1)).toMatchObject({ target: `cluster:${rig.a}`, madePacks: "1" });
  // The agent of an installation that began before may still be at it.
  rig.time.now += HOUR + 1;
  await rig.filing.collect();
  expect(await rig.files("packs")).toContain(old?.digest);
  await changed(rig, installation, { outcome: "cancelled" });
  await rig.filing.collect();
  expect(await rig.files("packs")).toEqual(packs.map(({ digest }) => digest));
  await readBack(rig, "kept:1", kept);
  // Nothing is left to be done.
  expect(await rig.collector.collect(rig.a, WHO)).toMatchObject({ retiredPacks: 0, madePacks: 0, waitingBytes: 0 });
  expect(rig.failures).toEqual([]);
});

test("packs of the shared library are kept for the images of clusters that are read from them", async () => {
  await using rig = await openRig();
  await brought(rig, "shared/all:1", testImage(filesOf(...range(0, 45))), "shared");
  const own = testImage(filesOf(...range(0, 15), "own"));
  await brought(rig, "own:1", own);
  await rig.images.delete(ALICE, undefined, "shared/all:1");
  expect(await rig.collector.collect(undefined, WHO)).toMatchObject({ retiredPacks: 1, madePacks: 1 });
  const packs = await readBack(rig, "own:1", own);
  expect(packs.map(({ library }) => library).sort()).toEqual([rig.a, "shared"].sort());
});

test("what is damaged is not given up, nor carried on", async () => {
  await using rig = await openRig();
  const kept = await mostlyWaste(rig);
  const [pack] = await readBack(rig, "kept:1", kept);
  const file = rig.file("packs", pack?.digest ?? "");
  const bytes = await readFile(file);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(file, bytes);
  expect(await rig.collector.collect(rig.a, WHO)).toMatchObject({ retiredPacks: 0, damaged: [pack?.digest] });
  const row = await rig.images.get(rig.a, "kept:1");
  expect((await rig.images.packsOf(row)).map(({ digest }) => digest)).toEqual([pack?.digest]);
  expect((await rig.files("packs")).filter((name) => name.startsWith("incoming-"))).toEqual([]);
});

/** Takes the name away as soon as no installation of its image is open. */
async function removed(rig: Rig, name: string): Promise<void> {
  const isGone = async () =>
    await rig.images.delete(ALICE, rig.a, name).then(
      () => true,
      (error: unknown) => {
        if (error instanceof HpsError && error.code === "precondition") return false;
        throw error;
      },
    );
  while (!(await isGone())) await sleep(10);
}

test("uploads, deletions and eight installations beside many collections: each reads whole what it was told of", async () => {
  await using rig = await openRig();
  const images = new Map<string, TestImage>();
  let isOver = false;
  let rounds = 0;
  const uploading = async (who: number) => {
    for (let round = 0; round < 5; round += 1) {
      const image = testImage(filesOf(...range(who * 4 + round, 40, 3 + who), `own-${who}-${round}`));
      const name = `image:${who}.${round}`;
      await brought(rig, name, image);
      images.set(name, image);
      if (round < 2) continue;
      images.delete(`image:${who}.${round - 2}`);
      await removed(rig, `image:${who}.${round - 2}`);
    }
  };
  const collecting = async () => {
    while (!isOver) {
      await rig.collector.collect(rig.a, WHO);
      // As an hour later, with nobody installing: what is retired goes.
      rig.time.now += HOUR + 1;
      await rig.filing.collect();
      rounds += 1;
    }
  };
  const installing = async (host: string) => {
    let count = 0;
    for (; !isOver; count += 1) {
      const [name, image] = [...images].at(count % Math.max(images.size, 1)) ?? [];
      await sleep(5);
      if (name === undefined || image === undefined) continue;
      const installation = await addTestInstallation(rig.store, host, rig.a, image.digest);
      await changed(rig, installation, { created_at: rig.time.now });
      const row = await rig.images.get(rig.a, `sha256:${image.digest}`).catch(() => undefined);
      // It is told of packs, and reads them two hours and two collections later.
      const packs = row === undefined ? [] : await rig.images.packsOf(row);
      for (const told = rounds; rounds < told + 2 && !isOver; ) await sleep(5);
      if (row !== undefined) await readPacks(rig.images, image, packs);
      await changed(rig, installation, { outcome: "cancelled" });
    }
    return count;
  };
  images.set("kept:1", await mostlyWaste(rig));
  const hosts = await Promise.all(
    Array.from({ length: 8 }, async (_, at) => await addTestHost(rig.store, rig.a, { name: `host-${at}` })),
  );
  const beside = Promise.all([collecting(), ...hosts.map(installing)]);
  await Promise.all([uploading(0), uploading(1), uploading(2)]);
  isOver = true;
  const [, ...installed] = await beside;
  for (const count of installed) expect(count).toBeGreaterThan(0);
  await rig.collector.collect(rig.a, WHO);
  for (const [name, image] of images) await readBack(rig, name, image);
  expect(rig.failures).toEqual([]);
}, 60_000);
