import { Anchors } from "./anchors.ts";
import type { DeltaObject, DeltaPiece } from "./delta.ts";
import { compressPiece, isPlainWindow } from "./delta-piece.ts";
import type { DeltaTask } from "./delta-plan.ts";
import { LARGEST_PIECE, LARGEST_WINDOW, SMALLEST_WINDOW } from "./limits.ts";
import type { ImageObject, ManifestEntry } from "./manifest-entry.ts";

/** Where the maker of a delta finds content. */
export interface DeltaContent {
  /** `length` bytes of an old file from `offset` on, holes as zeros. */
  readonly old: (source: ManifestEntry, offset: number, length: number) => Promise<Uint8Array>;
  /** The content of an object of the target. */
  readonly object: (number: number) => Promise<Uint8Array>;
  readonly objects: readonly ImageObject[];
}

/** An object and its pieces' frames, as they are to lie in the file. */
export interface MadeObject {
  readonly object: DeltaObject;
  readonly bytes: Buffer;
}

/** What reading an old file at once takes in memory. */
const READ = 1 << 20;

/** A piece that needs no old file is surer, where the old one saves no more than a tenth. */
const WORTH_IT = 0.9;
/** Of its own length: above that a piece is also tried without the old file. */
const LITTLE_HELPED = 1 / 3;

/** The objects of `task`, one after the other, as they come to stand in a delta; memory is bounded by an object and a window. */
export async function* makeDeltaObjects(task: DeltaTask, content: DeltaContent): AsyncGenerator<MadeObject> {
  const windows = task.source === undefined ? undefined : new WindowFinder(task.source, content);
  for (const { number, offset } of task.objects) {
    const about = content.objects[number];
    if (about === undefined) throw new RangeError(`no object ${number} in the target`);
    const raw = await content.object(number);
    const made: { piece: DeltaPiece; bytes: Buffer }[] = [];
    for (let at = 0; at < raw.length; at += LARGEST_PIECE) {
      made.push(await makePiece(raw.subarray(at, at + LARGEST_PIECE), offset + at, windows));
    }
    const object = { ...about, pieces: made.map(({ piece }) => piece) };
    yield { object, bytes: Buffer.concat(made.map(({ bytes }) => bytes)) };
  }
}

async function makePiece(raw: Uint8Array, offset: number, windows: WindowFinder | undefined) {
  const found = await windows?.find(raw, offset);
  const helped = found === undefined ? undefined : await compressPiece(raw, found.content);
  if (helped !== undefined && helped.length <= raw.length * LITTLE_HELPED) return piece(raw, helped, found?.window);
  const alone = await compressPiece(raw, undefined);
  const isWorthIt = helped !== undefined && helped.length < alone.length * WORTH_IT;
  return isWorthIt ? piece(raw, helped, found?.window) : piece(raw, alone, undefined);
}

function piece(raw: Uint8Array, bytes: Buffer, window: DeltaPiece["window"]) {
  return { piece: { length: raw.length, compressedBytes: bytes.length, window }, bytes };
}

/** Chooses old content for new: all of a small file; of a large one what shares most with the piece, else what stood at its place. */
class WindowFinder {
  readonly #source: ManifestEntry;
  readonly #content: DeltaContent;
  #anchors: Anchors | undefined;
  #last: { readonly offset: number; readonly content: Uint8Array } | undefined;

  constructor(source: ManifestEntry, content: DeltaContent) {
    this.#source = source;
    this.#content = content;
  }

  async find(piece: Uint8Array, offset: number) {
    const { path, size } = this.#source;
    const start = size <= LARGEST_WINDOW ? 0 : await this.#startFor(piece, offset);
    const read = await this.#read(start, Math.min(LARGEST_WINDOW, size - start));
    // zstd would take it for a dictionary with tables: begin a byte later.
    const skipped = read.length > SMALLEST_WINDOW && !isPlainWindow(read) ? 1 : 0;
    const content = read.subarray(skipped);
    if (!isPlainWindow(content)) return undefined;
    return { content, window: { path, offset: start + skipped, length: content.length } };
  }

  async #startFor(piece: Uint8Array, offset: number): Promise<number> {
    this.#anchors ??= await this.#allAnchors();
    const samePlace = Math.max(0, Math.min(offset - LARGEST_PIECE / 2, this.#source.size - LARGEST_WINDOW));
    return this.#anchors.bestWindow(piece) ?? samePlace;
  }

  async #allAnchors(): Promise<Anchors> {
    const { size } = this.#source;
    const anchors = new Anchors(size);
    for (let at = 0; at < size; at += READ) {
      anchors.add(await this.#content.old(this.#source, at, Math.min(READ, size - at)));
    }
    return anchors;
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#last?.offset !== offset) {
      this.#last = { offset, content: await this.#content.old(this.#source, offset, length) };
    }
    return this.#last.content;
  }
}
