import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ALICE } from "../operations/testing.ts";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { openImageRig } from "./testing.ts";
import { bringOverlapping } from "./testing-overlap.ts";
import { noise, testImage, upload } from "./testing-upload.ts";
import { brought, filesOf, range, readBack } from "./testing-whole.ts";

const MIB = 1 << 20;
const HOUR = 3_600_000;
const openRig = async () => await openImageRig({ maxBytes: 256 * MIB });

test("an image is stored as its manifest and a pack, and can be read back", async () => {
  await using rig = await openRig();
  const image = testImage({ ...filesOf(...range(0, 6)), empty: Buffer.alloc(0), large: noise("large", 9 * MIB) });
  const { image: made, plan } = await brought(rig, "debian:12", image);
  const contentBytes = image.objects.reduce((sum, { length }) => sum + length, 0);
  expect(made).toMatchObject({ cluster: "a", name: "debian:12", digest: image.digest, entries: 9, contentBytes });
  expect(plan).toMatchObject({ fresh: [[0, image.objects.length]], again: [], wantedBytes: contentBytes, library: [] });
  expect(await rig.files("manifests")).toEqual([image.digest]);
  expect(await rig.files("packs")).toHaveLength(1);
  await readBack(rig, "debian:12", image);
  expect(await rig.audited()).toMatchObject([{ name: "debian:12", digest: image.digest }]);
  expect(rig.failures).toEqual([]);
});

test("one that is there is answered at once, whatever its name, and in the library that all share", async () => {
  await using rig = await openRig();
  const image = testImage(filesOf(...range(0, 3)));
  const first = await brought(rig, "debian:12", image);
  expect(await brought(rig, "debian:12", image)).toEqual({ image: first.image, plan: undefined });
  const second = await brought(rig, "debian:stable", image);
  expect(second).toMatchObject({
    plan: undefined,
    image: { name: "debian:stable", contentBytes: first.image.contentBytes },
  });
  // Another cluster's is as absent as none; the shared one is everybody's.
  expect((await brought(rig, "debian:12", image, rig.b)).plan).toBeDefined();
  await brought(rig, "shared/debian:12", image, "shared");
  await readBack(rig, "shared/debian:12", image, "shared");
  const other = testImage(filesOf(...range(10, 13)));
  await brought(rig, "shared/other:1", other, "shared");
  expect((await brought(rig, "other:1", other)).plan).toBeUndefined();
  await readBack(rig, "other:1", other);
  expect(await rig.files("packs")).toHaveLength(2);
});

test("the name of another image is refused before anything is sent, and moved when it may be", async () => {
  await using rig = await openRig();
  const [one, two] = [testImage(filesOf("one")), testImage(filesOf("two"))];
  await brought(rig, "debian:12", one);
  await expect(brought(rig, "debian:12", two)).rejects.toMatchObject({ code: "exists" });
  const { uploads, a: clusterId } = rig;
  await upload({ uploads, clusterId, name: "debian:12", image: two, change: { move: true } });
  await readBack(rig, "debian:12", two);
  expect(await rig.files("manifests")).toEqual([two.digest]);
  expect((await rig.audited()).at(-1)).toMatchObject({ movedFrom: one.digest });
});

test("only what the library lacks is sent, and the image is read from old packs and new ones", async () => {
  await using rig = await openRig();
  const old = testImage(filesOf(...range(0, 45)));
  await brought(rig, "debian:12.1", old);
  const next = testImage(filesOf(...range(0, 44), "new-1", "new-2"));
  const { plan } = await brought(rig, "debian:12.2", next);
  expect(plan).toMatchObject({ fresh: [[44, 2]], again: [], library: [0] });
  await readBack(rig, "debian:12.2", next);
  // Nothing is new in it: no pack is made.
  const part = testImage(filesOf(...range(1, 45)));
  expect((await brought(rig, "debian:part", part)).plan).toMatchObject({ fresh: [], again: [], wantedBytes: 0 });
  await readBack(rig, "debian:part", part);
  expect(await rig.files("packs")).toHaveLength(2);
});

test("of what lies scattered some is sent again, in frames of its own", async () => {
  await using rig = await openRig();
  await brought(rig, "all:1", testImage(filesOf(...range(0, 64))));
  const scattered = testImage(filesOf(...range(0, 64).filter((_, at) => at % 4 === 0), "new"));
  const { plan } = await brought(rig, "some:1", scattered);
  expect(plan).toMatchObject({ fresh: [[16, 1]] });
  expect(plan?.again).not.toEqual([]);
  await readBack(rig, "some:1", scattered);
});

test("some that bring overlapping images at once all have theirs whole", async () => {
  await using rig = await openRig();
  await bringOverlapping(rig, 1);
});

test("what a lost or damaged pack held is sent again, and the same image heals", async () => {
  await using rig = await openRig();
  const image = testImage(filesOf(...range(0, 6)));
  await brought(rig, "debian:12", image);
  const [pack = ""] = await rig.files("packs");
  for (const damage of [
    async () => await truncate(rig.file("packs", pack), 1000),
    async () => await rm(rig.file("packs", pack)),
  ]) {
    await damage();
    const { plan } = await brought(rig, "debian:12", image);
    expect(plan?.fresh).toEqual([[0, 6]]);
    await readBack(rig, "debian:12", image);
  }
  const bytes = await readFile(rig.file("packs", pack));
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  await writeFile(rig.file("packs", pack), bytes);
  const other = testImage(filesOf(...range(0, 7)));
  expect((await brought(rig, "debian:13", other)).plan?.fresh).toEqual([[0, 7]]);
  await readBack(rig, "debian:13", other);
});

test("packs that no image needs stay for an hour and for those who may still read them, then they go", async () => {
  await using rig = await openRig();
  await brought(rig, "debian:12", testImage(filesOf(...range(0, 3))));
  const installation = await addTestInstallation(rig.store, await addTestHost(rig.store, rig.a), rig.a);
  await rig.images.delete(ALICE, rig.a, "debian:12");
  expect(await rig.files("manifests")).toEqual([]);
  rig.time.now += HOUR + 1;
  await rig.filing.collect();
  expect(await rig.files("packs")).toHaveLength(1);
  await rig.store.write(
    async (tx) =>
      void (await tx
        .updateTable("installation")
        .set({ outcome: "cancelled" })
        .where("id", "=", installation)
        .execute()),
  );
  using pin = rig.filing.pin(await rig.files("packs"));
  await rig.filing.collect();
  expect(await rig.files("packs")).toHaveLength(1);
  pin[Symbol.dispose]();
  await rig.filing.collect();
  expect(await rig.files("packs")).toEqual([]);
  expect(await rig.store.read((db) => db.selectFrom("pack").select("digest").execute())).toEqual([]);
});

test("a start keeps what rows name, removes the rest, and says what is missing", async () => {
  await using rig = await openRig();
  const image = testImage(filesOf(...range(0, 3)));
  await brought(rig, "debian:12", image);
  for (const part of ["manifests", "packs", "deltas"]) {
    await writeFile(rig.file(part, "incoming-1"), "half");
    await writeFile(rig.file(part, "e".repeat(64)), "nobody's");
  }
  const { images } = await rig.reopened();
  expect(await images.recover()).toEqual([]);
  expect(await rig.files("deltas")).toEqual([]);
  expect(await rig.files("manifests")).toEqual([image.digest]);
  const packs = await rig.files("packs");
  expect(packs).toHaveLength(1);
  await rm(rig.file("packs", packs[0] ?? ""));
  expect(await images.recover()).toEqual(packs);
  await readBack(rig, "debian:12", image).then(
    () => expect.unreachable(),
    () => undefined,
  );
});
