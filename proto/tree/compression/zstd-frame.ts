/** The outline of a zstd frame (RFC 8878): enough to know where it ends and what it needs, without decoding it. */
import { HpsError } from "../../values/hps-error.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** What Node's zstd, as every zstd, decodes without being asked for more memory: `zstd --long=27`. */
const LARGEST_WINDOW = 2 ** 27;
const LARGEST_BLOCK = 1 << 17;
/** Magic, descriptor, window, dictionary id, content size. */
export const LONGEST_FRAME_HEADER = 4 + 1 + 1 + 4 + 8;

export interface FrameHeader {
  /** Magic and header, in bytes. */
  readonly size: number;
  readonly hasChecksum: boolean;
  /** Bytes this frame unpacks to, when it says so. */
  readonly contentSize: bigint | undefined;
}

export interface BlockHeader {
  readonly last: boolean;
  /** Bytes that follow the block's header of 3. */
  readonly size: number;
}

/** `invalid`, naming the place in the compressed file. */
export function damagedFrame(at: number, why: string): HpsError {
  return new HpsError("invalid", `the zstd file is damaged at byte ${at}: ${why}`, {
    hint: "make or fetch the file anew, and compare its SHA-256 with its maker's",
  });
}

/** The size of what follows the 8 bytes `head` of a skippable frame; undefined when it is none. */
export function skippableSize(head: Buffer): number | undefined {
  if (head.length < 8 || (head.readUInt32LE(0) & 0xfffffff0) >>> 0 !== SKIPPABLE) return undefined;
  return head.readUInt32LE(4);
}

/** The frame header that `head` begins with; `at` is its place, for errors. */
export function parseFrameHeader(head: Buffer, at: number): FrameHeader {
  if (head.length < 5 || head.readUInt32LE(0) !== MAGIC) throw damagedFrame(at, "no zstd frame begins here");
  const descriptor = head.readUInt8(4);
  const single = (descriptor & 0x20) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const size = 5 + (single ? 0 : 1) + dictionarySize + contentBytes;
  if (head.length < size) throw damagedFrame(at, "it ends within a frame's header");
  if ((descriptor & 0x08) !== 0) throw damagedFrame(at, "a frame of an unknown kind");
  const dictionary = head.subarray(size - contentBytes - dictionarySize, size - contentBytes);
  if (dictionary.some((byte) => byte !== 0)) throw needs(at, "a dictionary");
  const contentSize = contentSizeOf(head.subarray(size - contentBytes, size));
  const window = single ? Number(contentSize ?? 0n) : windowOf(head.readUInt8(5));
  if (window > LARGEST_WINDOW) throw needs(at, `${Math.ceil(window / 2 ** 20)} MiB of memory (more than 128)`);
  return { size, hasChecksum: (descriptor & 0x04) !== 0, contentSize };
}

export function parseBlockHeader(head: Buffer, at: number): BlockHeader {
  if (head.length < 3) throw damagedFrame(at, "it ends within a frame");
  const value = head.readUIntLE(0, 3);
  const type = (value >> 1) & 3;
  const size = value >> 3;
  if (type === 3 || size > LARGEST_BLOCK) throw damagedFrame(at, "no block of a frame begins here");
  return { last: (value & 1) === 1, size: type === 1 ? 1 : size };
}

function needs(at: number, what: string): HpsError {
  return new HpsError("unimplemented", `the zstd frame at byte ${at} needs ${what} to be unpacked`, {
    hint: "compress the archive anew without --long (or with --long=27 at most) and dictionaries: zstd -d --long=31 < OLD | zstd -19 > NEW",
  });
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSizeOf(bytes: Buffer): bigint | undefined {
  switch (bytes.length) {
    case 1:
      return BigInt(bytes.readUInt8(0));
    case 2:
      return BigInt(bytes.readUInt16LE(0)) + 256n;
    case 4:
      return BigInt(bytes.readUInt32LE(0));
    case 8:
      return bytes.readBigUInt64LE(0);
    default:
      return undefined;
  }
}
