/** Packs: files of frames, each of which holds whole objects and can be read alone. docs/image-format.md specifies them. */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ContainerKind, containerEnd, containerHead, indexContent, type Trailer } from "./container.ts";
import { LARGEST_OBJECT, MOST_PACK_OBJECTS } from "./limits.ts";
import type { ImageObject } from "./manifest-entry.ts";
import { mostCompressed } from "./zstd-frame-content.ts";

/** A frame of a pack: a zstd frame of objects, one after the other. */
export interface PackFrame {
  /** Of the compressed bytes, in the file. */
  readonly offset: number;
  readonly compressedBytes: number;
  /** Of all its objects together. */
  readonly rawBytes: number;
  readonly objects: readonly ImageObject[];
}

export interface PackIndex {
  /** As they lie in the file, one directly after the other. */
  readonly frames: readonly PackFrame[];
}

export const PACK: ContainerKind = {
  magic: "HPSPACK",
  endMagic: "HPSPEND",
  layer: "pack",
  trailer: "pack's trailer",
  index: "pack's index",
};

/** What a pack begins with; its first frame follows. */
export const PACK_HEAD = containerHead(PACK);

const DIGEST = 32;

/** What follows a pack's last frame: its index and its trailer. */
export function encodePackEnd(frames: readonly Pick<PackFrame, "compressedBytes" | "objects">[]): Buffer {
  const writer = new ByteWriter();
  writer.number(frames.length);
  let offset = PACK_HEAD.length;
  for (const { compressedBytes, objects } of frames) {
    writer.number(compressedBytes);
    writer.number(objects.length);
    for (const { digest, length } of objects) {
      writer.raw(digest);
      writer.number(length);
    }
    offset += compressedBytes;
  }
  return containerEnd(PACK, writer.done(), offset);
}

/** The index of the pack that `trailer` is of, from the stored bytes that it names. */
export function parsePackIndex(stored: Uint8Array, trailer: Trailer): PackIndex {
  return {
    frames: listPackFrames(stored, trailer).map(({ digests, lengths, ...frame }) => ({
      ...frame,
      objects: Array.from(lengths, (length, index) => ({
        digest: digests.subarray(DIGEST * index, DIGEST * (index + 1)),
        length,
      })),
    })),
  };
}

/** A frame whose objects are in as little memory as they take. */
export interface ListedFrame extends Omit<PackFrame, "objects"> {
  /** One after the other. */
  readonly digests: Buffer;
  readonly lengths: Uint32Array;
}

/** The same, for an index of so many objects that each should not be one for V8. */
export function listPackFrames(stored: Uint8Array, trailer: Trailer): readonly ListedFrame[] {
  const reader = new ByteReader(indexContent(PACK, stored, trailer), PACK.index);
  const count = reader.number("the number of frames", MOST_PACK_OBJECTS);
  if (count === 0) throw reader.wrong("the pack has no frame", 0);
  const frames: ListedFrame[] = [];
  let offset = PACK_HEAD.length;
  let objects = 0;
  for (let index = 0; index < count; index++) {
    const frame = readFrame(reader, offset, MOST_PACK_OBJECTS - objects);
    frames.push(frame);
    offset += frame.compressedBytes;
    objects += frame.lengths.length;
    if (offset > trailer.indexOffset) break;
  }
  if (offset !== trailer.indexOffset) throw reader.wrong(`its frames end at byte ${offset}, not where it begins`, 0);
  reader.end();
  return frames;
}

function readFrame(reader: ByteReader, offset: number, mostObjects: number): ListedFrame {
  const start = reader.position;
  const compressedBytes = reader.number("a frame's length", mostCompressed(LARGEST_OBJECT));
  const count = reader.number("a frame's number of objects", mostObjects);
  // No more than there can be, whatever it says.
  const most = Math.min(count, Math.ceil(reader.left / DIGEST));
  const digests = Buffer.alloc(most * DIGEST);
  const lengths = new Uint32Array(most);
  let rawBytes = 0;
  for (let index = 0; index < count; index++) {
    digests.set(reader.take(DIGEST, "an object's digest"), index * DIGEST);
    const length = reader.number("an object's length", LARGEST_OBJECT);
    if (length === 0) throw reader.wrong("an object without content");
    lengths[index] = length;
    rawBytes += length;
    if (rawBytes > LARGEST_OBJECT) throw reader.wrong(`a frame of more than ${LARGEST_OBJECT} bytes`, start);
  }
  if (count === 0 || compressedBytes === 0) throw reader.wrong("a frame without content", start);
  if (compressedBytes > mostCompressed(rawBytes)) throw reader.wrong("a frame that grew when it was compressed", start);
  return { offset, compressedBytes, rawBytes, digests, lengths };
}
