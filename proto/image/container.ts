/** What packs and deltas have in common: compressed parts, then an index of them, then a trailer of one size that says where that is. */
import { hash } from "node:crypto";
import { HpsError } from "../values/hps-error.ts";
import { damagedImage, type Layer, notThoseBytes, unknownVersion } from "./damage.ts";
import { LARGEST_INDEX } from "./limits.ts";
import { compressedSync, frameContent, mostCompressed } from "./zstd-frame-content.ts";

/** The names that a kind of file begins and ends with, and those of its parts in errors. */
export interface ContainerKind {
  readonly magic: string;
  readonly endMagic: string;
  readonly layer: Layer;
  readonly trailer: Layer;
  readonly index: Layer;
}

/** Where a file's index lies, by its trailer. */
export interface Trailer {
  readonly indexOffset: number;
  /** As it is stored. */
  readonly indexBytes: number;
  readonly indexRawBytes: number;
  /** SHA-256 of the stored index. */
  readonly indexDigest: Buffer;
}

const VERSION = 1;
/** Offset, two lengths, digest; a name of 7 and the version. */
export const TRAILER_BYTES = 8 + 4 + 4 + 32 + 7 + 1;
const INDEX_LEVEL = 9;

/** What the file begins with. */
export function containerHead({ magic }: ContainerKind): Buffer {
  return Buffer.from(`${magic}\x01`, "latin1");
}

/** What the file ends with, after `offset` bytes: its index and its trailer. */
export function containerEnd(kind: ContainerKind, rawIndex: Uint8Array, offset: number): Buffer {
  if (rawIndex.length > LARGEST_INDEX) {
    throw new HpsError(
      "exhausted",
      `the ${kind.index} would be of ${rawIndex.length} bytes, more than ${LARGEST_INDEX}`,
    );
  }
  const index = compressedSync(rawIndex, INDEX_LEVEL);
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(BigInt(offset), 0);
  numbers.writeUInt32LE(index.length, 8);
  numbers.writeUInt32LE(rawIndex.length, 12);
  const end = Buffer.from(`${kind.endMagic}\x01`, "latin1");
  return Buffer.concat([index, numbers, hash("sha256", index, "buffer"), end]);
}

/** The trailer that `last`, the last `TRAILER_BYTES` of a file of `fileBytes`, is. */
export function parseTrailer(kind: ContainerKind, last: Uint8Array, fileBytes: number): Trailer {
  const at = Math.max(fileBytes - TRAILER_BYTES, 0);
  const bytes = Buffer.from(last.buffer, last.byteOffset, last.byteLength);
  const wrong = (why: string) => damagedImage(kind.trailer, at, why);
  if (bytes.length !== TRAILER_BYTES || fileBytes < TRAILER_BYTES) throw wrong(`the file has only ${fileBytes} bytes`);
  if (bytes.toString("latin1", TRAILER_BYTES - 8, TRAILER_BYTES - 1) !== kind.endMagic) {
    throw wrong("the file does not end as one, so it is cut or something else");
  }
  const version = bytes.readUInt8(TRAILER_BYTES - 1);
  if (version !== VERSION) throw unknownVersion(kind.trailer, version);
  const trailer = {
    indexOffset: Number(bytes.readBigUInt64LE(0)),
    indexBytes: bytes.readUInt32LE(8),
    indexRawBytes: bytes.readUInt32LE(12),
    indexDigest: bytes.subarray(16, 48),
  };
  if (trailer.indexRawBytes > LARGEST_INDEX || trailer.indexBytes > mostCompressed(trailer.indexRawBytes)) {
    throw wrong(`its index is longer than ${LARGEST_INDEX} bytes, or grew when it was compressed`);
  }
  if (trailer.indexOffset < kind.magic.length + 1 || trailer.indexOffset + trailer.indexBytes !== at) {
    throw wrong("its index does not lie directly before it");
  }
  return trailer;
}

/** Throws unless `first`, the first bytes of a file, are what it must begin with. */
export function checkHead(kind: ContainerKind, first: Uint8Array): void {
  const found = Buffer.from(first.subarray(0, kind.magic.length)).toString("latin1");
  if (found !== kind.magic) throw damagedImage(kind.layer, 0, "it does not begin as one");
  const version = first[kind.magic.length] ?? 0;
  if (version !== VERSION) throw unknownVersion(kind.layer, version);
}

/** The uncompressed index of a file, from the bytes that its trailer names. */
export function indexContent(kind: ContainerKind, stored: Uint8Array, trailer: Trailer): Buffer {
  const found = hash("sha256", stored, "buffer");
  const refuse = (why: string, cause?: unknown) => notThoseBytes(kind.index, why, cause);
  if (!found.equals(trailer.indexDigest)) {
    throw refuse(`its SHA-256 is ${found.toString("hex")}, not ${trailer.indexDigest.toString("hex")}`);
  }
  return frameContent(stored, trailer.indexRawBytes, refuse);
}
