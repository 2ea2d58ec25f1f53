import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { inPieces, run } from "../testing/scratch.ts";
import type { ByteSource } from "./byte-source.ts";
import { type Decompressors, decompressed } from "./decompress.ts";

const TEXT = Buffer.from("what the archive holds ".repeat(1000));

async function read(bytes: Uint8Array, decompressors?: Decompressors): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompressed(inPieces(bytes, 1000), decompressors)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** As a caller would, but all at once. */
async function* xz(source: ByteSource): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  yield run(["xz", "--decompress", "--stdout"], Buffer.concat(pieces));
}

test("the first bytes tell how a file is compressed", async () => {
  expect(await read(TEXT)).toEqual(TEXT);
  expect(await read(zstdCompressSync(TEXT))).toEqual(TEXT);
  expect(await read(run(["xz", "--stdout"], TEXT), { xz })).toEqual(TEXT);
  expect(await read(Buffer.alloc(0))).toHaveLength(0);
});

test("what cannot be unpacked here is refused by name", async () => {
  await expect(read(run(["gzip", "--stdout"], TEXT))).rejects.toMatchObject({
    code: "unimplemented",
    message: "the archive is a gzip file",
  });
  await expect(read(run(["xz", "--stdout"], TEXT))).rejects.toThrow("the archive is a xz file");
});
