import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inPieces } from "../testing/scratch.ts";
import type { ByteSource } from "./byte-source.ts";
import { zstdContent } from "./zstd.ts";

const CHECKSUM = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

async function contentOf(source: ByteSource): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of zstdContent(source)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

function skippable(content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a53, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

describe("frames", () => {
  const first = Buffer.from("first ".repeat(10_000));
  const second = randomBytes(3_000);
  const many = Buffer.concat([
    zstdCompressSync(first, CHECKSUM),
    skippable(Buffer.from("anything")),
    zstdCompressSync(Buffer.alloc(0)),
    zstdCompressSync(second),
    skippable(Buffer.alloc(0)),
  ]);

  test.each([1, 7, 4096, Number.POSITIVE_INFINITY])(
    "all are read, skippable ones passed over, in pieces of %d bytes",
    async (size) => {
      expect((await contentOf(inPieces(many, size))).equals(Buffer.concat([first, second]))).toBe(true);
    },
  );

  test("Node alone reads the first and says nothing of the others", () => {
    expect(zstdDecompressSync(many).equals(first)).toBe(true);
  });

  test("nothing is nothing", async () => {
    expect(await contentOf(inPieces(Buffer.alloc(0)))).toHaveLength(0);
  });

  test("a file that ends anywhere within a frame is refused", async () => {
    const file = Buffer.concat([zstdCompressSync(first, CHECKSUM), zstdCompressSync(second, CHECKSUM)]);
    const edges = new Set([0, zstdCompressSync(first, CHECKSUM).length, file.length]);
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length), async (length) => {
        const read = contentOf(inPieces(file.subarray(0, length), 65_536));
        if (edges.has(length)) await read;
        else await expect(read).rejects.toMatchObject({ name: "HpsError", code: "invalid" });
      }),
      { numRuns: 40 },
    );
  });

  test("a flipped bit is refused, or changes nothing", async () => {
    const file = zstdCompressSync(second, CHECKSUM);
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length * 8 - 1), async (bit) => {
        const altered = Buffer.from(file);
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const read = await contentOf(inPieces(altered, 65_536)).catch((error: unknown) => error);
        if (Buffer.isBuffer(read)) expect(read.equals(second)).toBe(true);
        else expect(read).toMatchObject({ name: "HpsError" });
      }),
      { numRuns: 60 },
    );
  });

  test("garbage after a frame is named by its place", async () => {
    const frame = zstdCompressSync(first);
    const read = contentOf(inPieces(Buffer.concat([frame, Buffer.from("garbage that is no frame")])));
    await expect(read).rejects.toThrow(`byte ${frame.length}: no zstd frame begins here`);
  });
});

test("a window above 128 MiB is refused in words", async () => {
  // Magic, no flags, a window of 2^31 bytes, then one empty last block: what `zstd --long=31` writes.
  const file = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 1, 0, 0]);
  await expect(contentOf(inPieces(file))).rejects.toMatchObject({
    code: "unimplemented",
    message: "the zstd frame at byte 0 needs 2048 MiB of memory (more than 128) to be unpacked",
    hint: expect.stringContaining("without --long"),
  });
});

test("a dictionary is refused in words", async () => {
  const file = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x00, 0x07, 1, 0, 0]);
  await expect(contentOf(inPieces(file))).rejects.toThrow("needs a dictionary");
});

test("the source's own error passes as it is", async () => {
  const broken = new Error("the wire was cut");
  async function* source() {
    yield zstdCompressSync(randomBytes(100_000)).subarray(0, 50_000);
    throw broken;
  }
  await expect(contentOf(source())).rejects.toBe(broken);
});

test("no more is read than the reader takes, and a reader that leaves closes the source", async () => {
  const frame = zstdCompressSync(randomBytes(1 << 20));
  let given = 0;
  let closed = false;
  async function* source() {
    try {
      for (;;) {
        given += 1;
        yield frame;
      }
    } finally {
      closed = true;
    }
  }
  for await (const piece of zstdContent(source())) if (piece.length > 0) break;
  expect(given).toBeLessThan(4);
  expect(closed).toBe(true);
});
