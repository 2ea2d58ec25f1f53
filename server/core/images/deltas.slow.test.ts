import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import { DELTA, parseDeltaIndex } from "../../../proto/image/delta.ts";
import { openDeltaObject } from "../../../proto/image/delta-piece.ts";
import { ALICE } from "../operations/testing.ts";
import { openImageRig } from "./testing.ts";
import { noise, type TestImage, testImage, upload } from "./testing-upload.ts";

const MIB = 1 << 20;
const WHO = { actor: "test", action: "image.delta", address: "" };
type Rig = Awaited<ReturnType<typeof openImageRig>>;
const openRig = async () => await openImageRig({ maxBytes: 256 * MIB });

async function brought(rig: Rig, name: string, image: TestImage, clusterId: string | undefined) {
  return (await upload({ uploads: rig.uploads, clusterId, name, image })).image;
}

/** As a new release of a program: nearly all as it was. */
function changed(content: Buffer): Buffer {
  const next = Buffer.concat([content.subarray(0, 100), Buffer.from("a little more"), content.subarray(100)]);
  next[5 * MIB] = 1;
  return next;
}

const OLD = { program: noise("program", 6 * MIB), library: noise("library", MIB), other: noise("other", 3 * MIB) };
const NEW = { ...OLD, program: changed(OLD.program), added: Buffer.from("new ".repeat(1000)) };

test("a delta makes every object that the base lacks out of the base's files, and hosts are told of it", async () => {
  await using rig = await openRig();
  const [old, next] = [testImage(OLD), testImage(NEW)];
  await brought(rig, "web:1", old, rig.a);
  await brought(rig, "web:2", next, rig.a);
  const delta = await rig.deltas.make(rig.a, { base: "web:1", target: "web:2" }, WHO);
  expect(delta).toMatchObject({ library: rig.a, base: old.digest, target: next.digest });
  const bytes = await readFile(rig.file("deltas", delta.digest));
  expect([hash("sha256", bytes), bytes.length]).toEqual([delta.digest, delta.sizeBytes]);
  expect(bytes.length).toBeLessThan(MIB / 8);
  const trailer = parseTrailer(DELTA, bytes.subarray(-TRAILER_BYTES), bytes.length);
  const index = parseDeltaIndex(bytes.subarray(trailer.indexOffset, -TRAILER_BYTES), trailer);
  const made = index.objects.map((object) => {
    const files: Readonly<Record<string, Buffer>> = OLD;
    const windows = object.pieces.map(
      ({ window }) => window && files[window.path]?.subarray(window.offset, window.offset + window.length),
    );
    openDeltaObject(object, bytes.subarray(object.offset, object.offset + object.compressedBytes), windows);
    return object.digest.toString("latin1");
  });
  const lacking = next.objects.map(({ digest }) => digest.toString("latin1")).filter((key) => !old.content.has(key));
  expect(made.sort()).toEqual(lacking.sort());
  expect((await rig.audited()).at(-1)).toMatchObject({ base: old.digest, target: next.digest, delta: delta.digest });
  // It is there, and goes with its base.
  expect(await rig.deltas.make(rig.a, { base: "web:1", target: `sha256:${next.digest}` }, WHO)).toEqual(delta);
  await rig.images.delete(ALICE, rig.a, "web:1");
  expect(await rig.files("deltas")).toEqual([]);
});

test("one is made by itself from the newest other tag of the name, unless the two have little in common", async () => {
  await using rig = await openRig();
  const first = await brought(rig, "web:1", testImage(OLD), rig.a);
  rig.deltas.offer(first, rig.a, "");
  rig.time.now += 1;
  await brought(rig, "webs:1", testImage({ ...OLD, webs: Buffer.from("x") }), rig.a);
  const next = await brought(rig, "web:2", testImage(NEW), rig.a);
  rig.deltas.offer(next, rig.a, "");
  const foreign = await brought(rig, "web:3", testImage({ all: noise("all", 3 * MIB) }), rig.a);
  rig.deltas.offer(foreign, rig.a, "web:1");
  await rig.deltas.settled();
  const rows = await rig.store.read((db) => db.selectFrom("delta").select(["base", "target"]).execute());
  expect(rows).toEqual([{ base: first.digest, target: next.digest }]);
  expect((await rig.files("deltas")).filter((name) => name.startsWith("incoming-"))).toEqual([]);
  expect(rig.failures).toEqual([]);
});

test("what saves nothing and the library of others are refused", async () => {
  await using rig = await openRig();
  await brought(rig, "web:1", testImage(OLD), rig.a);
  await brought(rig, "web:2", testImage({ other: noise("wholly other", MIB) }), rig.a);
  await brought(rig, "shared/web:1", testImage(NEW), undefined);
  const make = async (base: string, target: string) => await rig.deltas.make(rig.a, { base, target }, WHO);
  await expect(make("web:1", "web:2")).rejects.toMatchObject({
    code: "precondition",
    message: expect.stringContaining("save nothing"),
  });
  await expect(make("web:1", "shared/web:1")).rejects.toMatchObject({
    code: "precondition",
    message: expect.stringContaining("another library"),
  });
  await expect(make("web:1", "web:9")).rejects.toMatchObject({ code: "not-found" });
  expect(await rig.files("deltas")).toEqual([]);
});
