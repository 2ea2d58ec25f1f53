/** Deltas: files that make objects of a new image out of files of an old one. docs/image-format.md specifies them. */
import { type ByteString, byteString } from "../tree/byte-string.ts";
import { HpsError } from "../values/hps-error.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ContainerKind, containerEnd, containerHead, indexContent, type Trailer } from "./container.ts";
import * as limits from "./limits.ts";
import type { ImageObject } from "./manifest-entry.ts";
import { comparePaths, isPlainPath, ROOT } from "./paths.ts";
import { mostCompressed } from "./zstd-frame-content.ts";

/** Part of a file of the old tree: of its content as programs read it, holes as zeros. */
interface Window {
  readonly path: ByteString;
  readonly offset: number;
  readonly length: number;
}

/** One zstd frame, made with the window's content as a dictionary when there is one. */
export interface DeltaPiece {
  /** Of the content that it makes. */
  readonly length: number;
  readonly compressedBytes: number;
  readonly window: Window | undefined;
}

/** An object and the pieces that make it, one after the other. */
export interface DeltaObject extends ImageObject {
  readonly pieces: readonly DeltaPiece[];
}

/** An object in a file: its pieces lie there one after the other. */
export interface StoredDeltaObject extends DeltaObject {
  readonly offset: number;
  readonly compressedBytes: number;
}

export interface DeltaIndex<Held extends DeltaObject = StoredDeltaObject> {
  /** Digests of the manifests, 32 bytes: whose files are the windows', and whose objects are made. */
  readonly base: Buffer;
  readonly target: Buffer;
  /** As their pieces lie in the file. */
  readonly objects: readonly Held[];
}

export const DELTA: ContainerKind = {
  magic: "HPSDELTA",
  endMagic: "HPSDEND",
  layer: "delta",
  trailer: "delta's trailer",
  index: "delta's index",
};

/** What a delta begins with; its first piece follows. */
export const DELTA_HEAD = containerHead(DELTA);

const DIGEST = 32;

/** What follows a delta's last piece: its index and its trailer; `exhausted` for more objects than a delta can hold. */
export function encodeDeltaEnd({ base, target, objects }: DeltaIndex<DeltaObject>): Buffer {
  const pieces = objects.flatMap((object) => object.pieces);
  if (objects.length > limits.MOST_DELTA_OBJECTS || pieces.length > limits.MOST_DELTA_PIECES) {
    throw new HpsError("exhausted", `a delta cannot hold ${objects.length} objects in ${pieces.length} pieces`);
  }
  const used = new Set(pieces.flatMap(({ window }) => (window === undefined ? [] : [window.path])));
  const paths = [...used].sort(comparePaths);
  const numbers = new Map(paths.map((path, index) => [path, index + 1]));
  const writer = new ByteWriter();
  writer.raw(base);
  writer.raw(target);
  writer.number(paths.length);
  for (const path of paths) writer.text(path);
  writer.number(objects.length);
  for (const object of objects) writeObject(writer, object, numbers);
  const stored = pieces.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
  return containerEnd(DELTA, writer.done(), DELTA_HEAD.length + stored);
}

function writeObject(writer: ByteWriter, object: DeltaObject, numbers: ReadonlyMap<ByteString, number>): void {
  writer.raw(object.digest);
  writer.number(object.length);
  writer.number(object.pieces.length);
  for (const { length, compressedBytes, window } of object.pieces) {
    writer.number(length);
    writer.number(compressedBytes);
    writer.number(window === undefined ? 0 : (numbers.get(window.path) ?? 0));
    if (window === undefined) continue;
    writer.number(window.offset);
    writer.number(window.length);
  }
}

/** The index of the delta that `trailer` is of, from the stored bytes that it names. */
export function parseDeltaIndex(stored: Uint8Array, trailer: Trailer): DeltaIndex {
  const reader = new ByteReader(indexContent(DELTA, stored, trailer), DELTA.index);
  const base = reader.take(DIGEST, "the base's digest");
  const target = reader.take(DIGEST, "the target's digest");
  const paths = readPaths(reader);
  const count = reader.number("the number of objects", limits.MOST_DELTA_OBJECTS);
  if (count === 0) throw reader.wrong("the delta has no object");
  const objects: StoredDeltaObject[] = [];
  let offset = DELTA_HEAD.length;
  let pieces = 0;
  for (let index = 0; index < count; index++) {
    const object = readObject(reader, paths, offset);
    objects.push(object);
    offset += object.compressedBytes;
    pieces += object.pieces.length;
    if (pieces > limits.MOST_DELTA_PIECES) throw reader.wrong(`more than ${limits.MOST_DELTA_PIECES} pieces`);
    if (offset > trailer.indexOffset) break;
  }
  if (offset !== trailer.indexOffset) throw reader.wrong(`its pieces end at byte ${offset}, not where it begins`, 0);
  reader.end();
  return { base, target, objects };
}

function readPaths(reader: ByteReader): ByteString[] {
  const count = reader.number("the number of old files", limits.MOST_DELTA_OBJECTS);
  const paths: ByteString[] = [];
  let before = ROOT;
  for (let index = 0; index < count; index++) {
    const at = reader.position;
    const path = byteString(reader.bytes("an old file's path", limits.LONGEST_PATH));
    if (!isPlainPath(path)) throw reader.wrong("an old file's path is not in plain form", at);
    if (comparePaths(before, path) >= 0) throw reader.wrong("the paths of old files are out of order", at);
    paths.push(path);
    before = path;
  }
  return paths;
}

function readObject(reader: ByteReader, paths: readonly ByteString[], offset: number): StoredDeltaObject {
  const start = reader.position;
  const digest = reader.take(DIGEST, "an object's digest");
  const length = reader.number("an object's length", limits.LARGEST_OBJECT);
  const count = reader.number("an object's number of pieces", limits.MOST_PIECES);
  const pieces: DeltaPiece[] = [];
  let made = 0;
  let compressedBytes = 0;
  for (let index = 0; index < count; index++) {
    const piece = readPiece(reader, paths);
    pieces.push(piece);
    made += piece.length;
    compressedBytes += piece.compressedBytes;
  }
  if (count === 0 || made !== length) throw reader.wrong(`pieces of ${made} bytes for an object of ${length}`, start);
  return { digest, length, pieces, offset, compressedBytes };
}

function readPiece(reader: ByteReader, paths: readonly ByteString[]): DeltaPiece {
  const start = reader.position;
  const length = reader.number("a piece's length", limits.LARGEST_PIECE);
  const compressedBytes = reader.number("a piece's compressed length", mostCompressed(limits.LARGEST_PIECE));
  if (length === 0 || compressedBytes === 0 || compressedBytes > mostCompressed(length)) {
    throw reader.wrong("a piece that is empty, or grew when it was compressed", start);
  }
  const path = paths[reader.number("a piece's old file", paths.length) - 1];
  if (path === undefined) return { length, compressedBytes, window: undefined };
  const offset = reader.number("a window's place", Number.MAX_SAFE_INTEGER - limits.LARGEST_WINDOW);
  const windowLength = reader.number("a window's length", limits.LARGEST_WINDOW);
  if (windowLength < limits.SMALLEST_WINDOW) throw reader.wrong("a window that is too small", start);
  return { length, compressedBytes, window: { path, offset, length: windowLength } };
}
