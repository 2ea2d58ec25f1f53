import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkHead, containerEnd, parseTrailer, TRAILER_BYTES } from "./container.ts";
import { LARGEST_OBJECT } from "./limits.ts";
import type { ImageObject } from "./manifest-entry.ts";
import { encodePackEnd, PACK, PACK_HEAD, type PackIndex, parsePackIndex } from "./pack.ts";
import { compressFrame, FrameBuilder, openFrame, type RawFrame } from "./pack-frame.ts";
import { errorOf } from "./testing/error-of.ts";

function objectOf(content: Uint8Array): ImageObject {
  return { digest: hash("sha256", content, "buffer"), length: content.length };
}

function framesOf(contents: readonly Uint8Array[]): RawFrame[] {
  const builder = new FrameBuilder();
  const frames = contents.map((content) => builder.add(objectOf(content), content));
  return [...frames, builder.end()].filter((frame) => frame !== undefined);
}

async function packOf(contents: readonly Uint8Array[]): Promise<Buffer> {
  const frames = await Promise.all(
    framesOf(contents).map(async ({ objects, raw }) => ({ objects, bytes: await compressFrame(raw, 3) })),
  );
  const listed = frames.map(({ objects, bytes }) => ({ objects, compressedBytes: bytes.length }));
  return Buffer.concat([PACK_HEAD, ...frames.map(({ bytes }) => bytes), encodePackEnd(listed)]);
}

/** As a reader who has the whole file does it. */
function indexOf(pack: Buffer): PackIndex {
  checkHead(PACK, pack);
  const trailer = parseTrailer(PACK, pack.subarray(-TRAILER_BYTES), pack.length);
  return parsePackIndex(pack.subarray(trailer.indexOffset, trailer.indexOffset + trailer.indexBytes), trailer);
}

function contentsOf(pack: Buffer): Buffer[] {
  return indexOf(pack).frames.flatMap((frame) =>
    openFrame(pack.subarray(frame.offset, frame.offset + frame.compressedBytes), frame),
  );
}

const content = (length: number, seed = 0) => Buffer.alloc(length, `some content ${seed}`);

describe("frames", () => {
  test("hold whole objects, as many as fit, and no more than 4 MiB", () => {
    const frames = framesOf([content(LARGEST_OBJECT - 1), content(1), content(1), content(LARGEST_OBJECT), content(5)]);
    expect(frames.map(({ raw, objects }) => [raw.length, objects.length])).toEqual([
      [LARGEST_OBJECT, 2],
      [1, 1],
      [LARGEST_OBJECT, 1],
      [5, 1],
    ]);
  });

  test("are told when an object has other content than it says", () => {
    expect(() => new FrameBuilder().add(objectOf(content(5)), content(4))).toThrow("5 bytes with 4");
  });
});

describe("a pack", () => {
  test("gives back its objects, in order", async () => {
    const contents = [content(3_000_000, 1), content(2_000_000, 2), content(1), content(LARGEST_OBJECT, 3)];
    const found = contentsOf(await packOf(contents));
    expect(found.map((object) => hash("sha256", object))).toEqual(contents.map((object) => hash("sha256", object)));
  });

  test("can be read a range at a time: its frames lie one after the other", async () => {
    const pack = await packOf([content(3_000_000, 1), content(2_000_000, 2)]);
    const { frames } = indexOf(pack);
    expect(frames[0]).toMatchObject({ offset: 8, rawBytes: 3_000_000 });
    expect(frames[1]?.offset).toBe(8 + (frames[0]?.compressedBytes ?? 0));
  });

  test("without a frame is refused", () => {
    const empty = Buffer.concat([PACK_HEAD, encodePackEnd([])]);
    expect(errorOf(() => indexOf(empty)).message).toMatch(/^the pack's index is damaged at byte 0: .*no frame/);
  });

  test("of a later version is refused, at either end", async () => {
    const pack = await packOf([content(5)]);
    for (const at of [7, pack.length - 1]) {
      const later = Buffer.from(pack);
      later[at] = 2;
      expect(errorOf(() => indexOf(later))).toMatchObject({ code: "unimplemented" });
    }
  });

  test("with any bit turned is refused, naming the layer", async () => {
    const pack = await packOf([content(100, 1), content(70, 2)]);
    const good = contentsOf(pack);
    const layers = new Set<string>();
    for (let bit = 0; bit < pack.length * 8; bit++) {
      const turned = Buffer.from(pack);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const outcome = attempt(turned);
      // A bit of a frame's header may mean nothing: then the content is what it was.
      if (Array.isArray(outcome)) expect(outcome).toEqual(good);
      else layers.add(outcome);
    }
    expect([...layers].sort()).toEqual(["pack", "pack's index", "pack's trailer"]);
  });

  test("cut anywhere is refused", async () => {
    const pack = await packOf([content(100, 1), content(70, 2)]);
    for (let length = 0; length < pack.length; length++) expect(attempt(pack.subarray(0, length))).toMatch(/^pack/);
  });
});

function attempt(pack: Buffer): Buffer[] | string {
  let found: Buffer[] = [];
  const error = errorOf(() => {
    found = contentsOf(pack);
    return found;
  }, "or none");
  return error === undefined ? found : (error.details.layer ?? "no layer");
}

describe("a frame is refused", () => {
  const contents = [content(100, 1), content(70, 2)];
  const [raw] = framesOf(contents);
  const frame = { offset: 4711, rawBytes: 170, objects: raw?.objects ?? [] };
  const opened = async (bytes: Promise<Buffer>, about = frame) => {
    const given = await bytes;
    return errorOf(() => openFrame(given, about)).message;
  };
  const good = compressFrame(Buffer.concat(contents), 3);

  test("when it is another", async () => {
    const found = await opened(compressFrame(Buffer.concat(contents.toReversed()), 3));
    expect(found).toMatch(
      /^the pack is damaged at byte 4711: its frame there: object 0 has the SHA-256 [0-9a-f]{64}, not /,
    );
  });

  test("when something follows it, a second frame too", async () => {
    expect(await opened(Promise.all([good, good]).then(Buffer.concat))).toMatch(/bytes follow its zstd frame/);
    expect(await opened(good.then((bytes) => Buffer.concat([bytes, Buffer.alloc(1)])))).toMatch(/1 bytes follow/);
  });

  test("when it is longer or shorter than its objects: no bomb is unpacked", async () => {
    expect(await opened(compressFrame(Buffer.alloc(1 << 26), 3))).toMatch(/is of 67108864 bytes, not 170/);
    expect(await opened(good, { ...frame, rawBytes: 171 })).toMatch(/is of 170 bytes, not 171/);
  });

  test("when it says one length and holds another", async () => {
    const bomb = await compressFrame(Buffer.alloc(1 << 16), 3);
    const header = await compressFrame(Buffer.alloc(300), 3);
    // Content sizes of two bytes: 300 is said, 65 536 come.
    bomb[4] = header[4] ?? 0;
    const lying = Buffer.concat([bomb.subarray(0, 4), header.subarray(4, 7), bomb.subarray(bomb[4] === 0x60 ? 7 : 9)]);
    expect(errorOf(() => openFrame(lying, { ...frame, rawBytes: 300 })).message).toMatch(
      /does not decode|holds|no zstd|cut|follow/,
    );
  });

  test("when it is anything at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(errorOf(() => openFrame(bytes, frame)).details.layer).toBe("pack");
      }),
    );
  });
});

describe("an index is refused", () => {
  const object = objectOf(content(5));
  const index = (...frames: readonly { compressedBytes: number; objects: readonly ImageObject[] }[]) => {
    const end = encodePackEnd(frames);
    const size = 8 + frames.reduce((sum, frame) => sum + frame.compressedBytes, 0);
    const trailer = parseTrailer(PACK, end.subarray(-TRAILER_BYTES), size + end.length);
    return errorOf(() => parsePackIndex(end.subarray(0, -TRAILER_BYTES), trailer)).message;
  };
  test.each<[string, string, RegExp]>([
    ["a frame without objects", index({ compressedBytes: 5, objects: [] }), /without content/],
    ["a frame without bytes", index({ compressedBytes: 0, objects: [object] }), /without content/],
    ["an empty object", index({ compressedBytes: 5, objects: [{ ...object, length: 0 }] }), /without content/],
    ["a frame that grew", index({ compressedBytes: 2000, objects: [object] }), /grew/],
    ["a frame too long", index({ compressedBytes: 2 ** 23, objects: [object] }), /frame's length is above/],
    ["an object too long", index({ compressedBytes: 9, objects: [{ ...object, length: 2 ** 23 }] }), /length is above/],
    [
      "a frame of too much",
      index({ compressedBytes: 9, objects: [object, { ...object, length: LARGEST_OBJECT }] }),
      /more than 4194304 bytes/,
    ],
  ])("for %s", (_, message, expected) => {
    expect(message).toMatch(/^the pack's index is damaged at byte \d+: /);
    expect(message).toMatch(expected);
  });

  test("when its frames do not end where it begins", () => {
    const end = encodePackEnd([{ compressedBytes: 5, objects: [object] }]);
    end.writeBigUInt64LE(14n, end.length - TRAILER_BYTES);
    const trailer = parseTrailer(PACK, end.subarray(-TRAILER_BYTES), 14 + end.length);
    expect(errorOf(() => parsePackIndex(end.subarray(0, -TRAILER_BYTES), trailer)).message).toMatch(/end at byte 13/);
  });

  test("when the trailer promises a bomb", () => {
    const end = containerEnd(PACK, Buffer.alloc(10), 8);
    end.writeUInt32LE(2 ** 31, end.length - TRAILER_BYTES + 12);
    const found = errorOf(() => parseTrailer(PACK, end.subarray(-TRAILER_BYTES), 8 + end.length));
    expect(found.message).toMatch(/^the pack's trailer is damaged at byte \d+: its index is longer/);
  });
});
