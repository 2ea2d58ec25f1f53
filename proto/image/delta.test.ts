import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { latin1 } from "../tree/byte-string.ts";
import { Anchors } from "./anchors.ts";
import { parseTrailer, TRAILER_BYTES } from "./container.ts";
import { DELTA, DELTA_HEAD, type DeltaObject, encodeDeltaEnd, parseDeltaIndex } from "./delta.ts";
import { compressPiece, openDeltaObject } from "./delta-piece.ts";
import { planDelta } from "./delta-plan.ts";
import { LARGEST_OBJECT, LARGEST_PIECE, LARGEST_WINDOW } from "./limits.ts";
import { manifestOfDrafts } from "./manifest-of-drafts.ts";
import { BASE, contentsOf, fileOf, makeAll, noise, TARGET } from "./testing/delta-files.ts";
import { draft, draftFile, someObject } from "./testing/drafts.ts";
import { errorOf } from "./testing/error-of.ts";
import { smallImage } from "./testing/small-image.ts";

const MIB = 1 << 20;

describe("a plan", () => {
  const base = smallImage({
    "etc/same": noise(10, "a"),
    "lib/modules/6.1.0-32-amd64/a.ko": noise(10, "b"),
    "lib/modules/6.1.0-32-amd64/b.ko": noise(10, "c"),
    "lib/libz.so.1.2.3": noise(20, "d"),
    "old/place/config": noise(30, "e"),
    "other/place/config": noise(300, "f"),
    empty: Buffer.alloc(0),
  });
  const source = (files: Readonly<Record<string, Buffer>>) =>
    planDelta(base.manifest, smallImage(files).manifest).map((task) => [task.source?.path, task.objects]);
  const first = [{ number: 0, offset: 0 }];

  test.each<[string, string, string]>([
    ["the same path", "etc/same", "etc/same"],
    ["the path of another version", "lib/modules/6.1.0-35-amd64/b.ko", "lib/modules/6.1.0-32-amd64/b.ko"],
    ["a name of another version", "usr/lib/libz.so.1.2.10", "lib/libz.so.1.2.3"],
    ["the name of nearest size", "new/place/config", "old/place/config"],
  ])("pairs files by %s", (_, path, expected) => {
    expect(source({ [path]: noise(11, "new") })).toEqual([[latin1(expected), first]]);
  });

  test("knows a file by each of its names", () => {
    const entry = draftFile("a", "content", 11);
    const target = manifestOfDrafts([
      draft("directory", ""),
      entry,
      draft("directory", "etc"),
      draft("hardlink", "etc/same", { link: latin1("a") }),
    ]);
    expect(planDelta(base.manifest, target).map((task) => task.source?.path)).toEqual(["etc/same"]);
  });

  test("leaves out what the base has, and nothing else", () => {
    expect(source({ "etc/same": noise(10, "a"), moved: noise(300, "f") })).toEqual([]);
    expect(source({ unlike: noise(5, "x"), empty: noise(6, "y") })).toEqual([
      [undefined, first],
      [undefined, [{ number: 1, offset: 0 }]],
    ]);
  });

  test("knows where the objects of a sparse file stand in it", () => {
    const segments = [4096, 100 * LARGEST_OBJECT, 200 * LARGEST_OBJECT].map((offset) => ({ offset, size: 3 * MIB }));
    const content = [0, 1, 2].map((cut) => someObject(cut, cut === 2 ? MIB : LARGEST_OBJECT));
    const sparse = draft("file", "sparse", { size: 201 * LARGEST_OBJECT, segments, content });
    const [task] = planDelta(base.manifest, manifestOfDrafts([draft("directory", ""), sparse]));
    expect(task?.objects.map(({ offset }) => offset)).toEqual([
      4096,
      100 * LARGEST_OBJECT + MIB,
      200 * LARGEST_OBJECT + 2 * MIB,
    ]);
  });

  test("names each object once", () => {
    const block = noise(LARGEST_OBJECT, "block");
    const twice = Buffer.concat([block, block, noise(1, "end")]);
    expect(source({ "etc/same": twice, "old/place/config": block })).toEqual([
      [latin1("etc/same"), [first[0], { number: 1, offset: 2 * LARGEST_OBJECT }]],
    ]);
  });
});

describe("a delta", () => {
  test("has objects that nothing old helps with as they are", async () => {
    const base = smallImage({ a: noise(MIB, "one") });
    const target = smallImage({ a: noise(MIB, "two"), unlike: Buffer.from("text") });
    const made = await makeAll(base, target);
    expect(made.map(({ object }) => object.pieces.map(({ window }) => window))).toEqual([[undefined], [undefined]]);
    const found = contentsOf(fileOf(made), base).map((content) => hash("sha256", content, "hex"));
    expect(found).toEqual(target.manifest.objects.map(({ digest }) => digest.toString("hex")));
  });

  test("never gives zstd old content that begins as one of its dictionaries", async () => {
    const disguised = Buffer.concat([Buffer.from("37a430ec", "hex"), noise(100_000, "disguised")]);
    const base = smallImage({ a: disguised });
    const target = smallImage({ a: Buffer.concat([disguised, Buffer.from("more")]) });
    const made = await makeAll(base, target);
    expect(made[0]?.object.pieces[0]?.window).toEqual({ path: "a", offset: 1, length: 100_003 });
    const delta = fileOf(made);
    expect(delta.length).toBeLessThan(1000);
    expect(contentsOf(delta, base)[0]?.equals(target.files.get(latin1("a")) ?? Buffer.alloc(0))).toBe(true);
  });

  test("is refused where its maker did that", async () => {
    const window = Buffer.concat([Buffer.from("37a430ec", "hex"), noise(100, "x")]);
    const bytes = await compressPiece(Buffer.from("some text"), undefined);
    const piece = { length: 9, compressedBytes: bytes.length, window: { path: latin1("a"), offset: 0, length: 104 } };
    const object = { digest: BASE, length: 9, pieces: [piece], offset: 9, compressedBytes: bytes.length };
    expect(errorOf(() => openDeltaObject(object, bytes, [window])).message).toMatch(/begins as a dictionary/);
  });

  test("is refused with other old files than it was made with, never giving other content", async () => {
    const base = smallImage({ a: noise(10_000, "one") });
    const delta = fileOf(await makeAll(base, smallImage({ a: Buffer.concat([noise(10_000, "one"), BASE]) })));
    const others = smallImage({ a: noise(10_000, "other") });
    expect(errorOf(() => contentsOf(delta, others)).message).toMatch(
      /^the delta is damaged at byte 9: its object there/,
    );
    const shorter = smallImage({ a: noise(9_999, "one") });
    expect(errorOf(() => contentsOf(delta, shorter)).message).toMatch(/wants 10000 bytes of an old file and got 9999/);
  });

  test("with any bit turned or cut anywhere is refused, naming the layer", async () => {
    const base = smallImage({ "lib/a": noise(300, "one"), "lib/b": noise(300, "two") });
    const target = smallImage({
      "lib/a": Buffer.concat([noise(300, "one"), Buffer.from("x")]),
      "lib/b": Buffer.concat([Buffer.from("y"), noise(300, "two")]),
    });
    const delta = fileOf(await makeAll(base, target));
    const good = contentsOf(delta, base);
    expect(good).toHaveLength(2);
    const layers = new Set<string | undefined>();
    for (let bit = 0; bit < delta.length * 8; bit++) {
      const turned = Buffer.from(delta);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      let contents: Buffer[] = [];
      const error = errorOf(() => {
        contents = contentsOf(turned, base);
      }, "or none");
      if (error === undefined) expect(contents).toEqual(good);
      else layers.add(error.details.layer);
    }
    expect([...layers].sort()).toEqual(["delta", "delta's index", "delta's trailer"]);
    for (let length = 0; length < delta.length; length++) {
      expect(errorOf(() => contentsOf(delta.subarray(0, length), base)).details.layer).toMatch(/^delta/);
    }
  });
});

describe("an index is refused for", () => {
  const piece = { length: 10, compressedBytes: 5, window: { path: latin1("a/b"), offset: 0, length: 100 } };
  const object: DeltaObject = { digest: BASE, length: 10, pieces: [piece] };
  const messageFor = (...objects: readonly DeltaObject[]) => {
    const end = encodeDeltaEnd({ base: BASE, target: TARGET, objects });
    const stored = objects.flatMap(({ pieces }) => pieces).reduce((sum, part) => sum + part.compressedBytes, 0);
    const trailer = parseTrailer(DELTA, end.subarray(-TRAILER_BYTES), DELTA_HEAD.length + stored + end.length);
    return errorOf(() => parseDeltaIndex(end.subarray(0, -TRAILER_BYTES), trailer), "or none")?.message ?? "";
  };
  const withPiece = (change: object) => ({ ...object, pieces: [{ ...piece, ...change }] });
  const withWindow = (change: object) => withPiece({ window: { ...piece.window, ...change } });

  test("nothing, when it is right", () => {
    expect(messageFor(object)).toBe("");
    expect(messageFor(withPiece({ window: undefined }))).toBe("");
  });

  test.each<[string, string, RegExp]>([
    ["no object", messageFor(), /no object/],
    ["no piece", messageFor({ ...object, pieces: [] }), /pieces of 0 bytes for an object of 10/],
    ["pieces of another length", messageFor(withPiece({ length: 9 })), /pieces of 9 bytes/],
    [
      "too many pieces for an object",
      messageFor({ ...object, pieces: Array(65).fill(piece) }),
      /number of pieces is above 64/,
    ],
    ["a piece too long", messageFor(withPiece({ length: LARGEST_PIECE + 1 })), /piece's length is above/],
    ["an empty frame", messageFor(withPiece({ compressedBytes: 0 })), /empty, or grew/],
    ["a frame that grew", messageFor(withPiece({ compressedBytes: 2000 })), /empty, or grew/],
    ["a window too large", messageFor(withWindow({ length: LARGEST_WINDOW + 1 })), /window's length is above/],
    ["a window too small", messageFor(withWindow({ length: 7 })), /too small/],
    ["a path that climbs", messageFor(withWindow({ path: latin1("a/../b") })), /plain form/],
    ["a path that begins at the root", messageFor(withWindow({ path: latin1("/etc/shadow") })), /plain form/],
    ["no path", messageFor(withWindow({ path: latin1("") })), /plain form/],
  ])("%s", (_, message, expected) => {
    expect(message).toMatch(/^the delta's index is damaged at byte \d+: /);
    expect(message).toMatch(expected);
  });
});

test("a delta of more objects than a reader takes is not made", () => {
  const objects: DeltaObject[] = Array((1 << 18) + 1).fill({ digest: BASE, length: 1, pieces: [] });
  expect(errorOf(() => encodeDeltaEnd({ base: BASE, target: TARGET, objects })).code).toBe("exhausted");
});

describe("anchors", () => {
  test("are not led astray by zeros", () => {
    const file = Buffer.concat([noise(4 * MIB, "file"), Buffer.alloc(8 * MIB)]);
    const anchors = new Anchors(file.length);
    anchors.add(file);
    const piece = Buffer.concat([Buffer.alloc(MIB - 50_000), file.subarray(MIB, MIB + 50_000)]);
    expect(anchors.bestWindow(piece)).toBeLessThanOrEqual(MIB);
  });
});
