import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { openImageRig } from "./testing.ts";
import { noise, type TestImage, testImage, upload } from "./testing-upload.ts";

const MIB = 1 << 20;
const WHO = { actor: "test", action: "image.verify", address: "" };
type Rig = Awaited<ReturnType<typeof openImageRig>>;
const openRig = async () => await openImageRig({ maxBytes: 256 * MIB });
const filesOf = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, noise(name, MIB / 4)]));

async function brought(rig: Rig, name: string, image: TestImage) {
  return await upload({ uploads: rig.uploads, clusterId: rig.a, name, image });
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

/** What is not whole, and how many things were looked at. */
async function verified(rig: Rig, library: string | undefined = rig.a) {
  const all = await Array.fromAsync(rig.verifier.verify(library, WHO));
  return { count: all.length, wrong: all.filter(({ state }) => state !== "whole") };
}

test("a library that is whole is found so, and nothing is written", async () => {
  await using rig = await openRig();
  await brought(rig, "debian:12", testImage(filesOf("a", "b")));
  await brought(rig, "debian:13", testImage(filesOf("a", "b", "c")));
  const before = await rig.audited();
  expect(await verified(rig)).toEqual({ count: 2 + 2 + 2, wrong: [] });
  expect(await rig.audited()).toEqual(before);
});

test("of a damaged pack the frame, the object and the images are named; an import brings its objects again and heals them", async () => {
  await using rig = await openRig();
  const image = testImage(filesOf("a", "b", "c"));
  await brought(rig, "debian:12", image);
  const [pack = ""] = await rig.files("packs");
  await flip(rig.file("packs", pack), MIB / 2);
  const { wrong } = await verified(rig);
  expect(wrong).toMatchObject([{ kind: "packs", digest: pack, state: "damaged", images: ["debian:12"] }]);
  expect(wrong[0]?.problems[0]).toMatch(/the pack is damaged at byte 8: its frame there: object [0-2] has the SHA-256/);
  expect(wrong[0]?.problems[1]).toMatch(/its SHA-256 is/);
  expect((await rig.audited()).at(-1)).toMatchObject({ target: `cluster:${rig.a}`, damaged: pack });
  // The length is right, and yet it is brought again: under the same name, and as part of another image.
  const other = await brought(rig, "debian:13", testImage(filesOf("a", "b", "c", "d")));
  expect(other.plan?.fresh).toEqual([[0, 4]]);
  expect((await brought(rig, "debian:12", image)).plan).toBeDefined();
  expect((await verified(rig)).wrong).toEqual([]);
});

test("an image with a damaged pack is read from what another import brought, once it is collected", async () => {
  await using rig = await openRig();
  await brought(rig, "debian:12", testImage(filesOf("a", "b", "c")));
  const [pack = ""] = await rig.files("packs");
  await flip(rig.file("packs", pack), MIB / 2);
  await verified(rig);
  const { image } = await brought(rig, "debian:13", testImage(filesOf("a", "b", "c", "d")));
  expect(await rig.collector.collect(rig.a, WHO)).toMatchObject({ retiredPacks: 1, madePacks: 0 });
  const [from] = await rig.images.packsOf(await rig.images.get(rig.a, "debian:12"));
  expect(await rig.images.packsOf(image)).toEqual([from]);
  expect((await verified(rig)).wrong).toEqual([]);
});

test("a damaged manifest is removed, what is lost is said, and importing it again is all there is to do", async () => {
  await using rig = await openRig();
  const [one, two] = [testImage(filesOf("a", "b")), testImage(filesOf("c"))];
  await brought(rig, "one:1", one);
  await brought(rig, "two:1", two);
  const [pack] = await rig.images.packsOf(await rig.images.get(rig.a, "two:1"));
  await flip(rig.file("manifests", one.digest), 20);
  await rm(rig.file("packs", pack?.digest ?? ""));
  const { wrong } = await verified(rig);
  const found = wrong.map(({ kind, state, images }) => ({ kind, state, images }));
  expect(found).toHaveLength(3);
  expect(found).toContainEqual({ kind: "manifests", state: "damaged", images: ["one:1"] });
  expect(found).toContainEqual({ kind: "packs", state: "lost", images: ["two:1"] });
  expect(found).toContainEqual({ kind: "image", state: "damaged", images: ["two:1"] });
  expect(await rig.files("manifests")).toEqual([two.digest]);
  expect((await brought(rig, "one:1", one)).plan).toBeDefined();
  expect((await brought(rig, "two:1", two)).plan).toMatchObject({ fresh: [[0, 1]] });
  expect((await verified(rig)).wrong).toEqual([]);
  expect(rig.failures).toEqual([]);
});
