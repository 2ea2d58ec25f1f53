import { ByteReader } from "./byte-reader.ts";
import { DigestTable } from "./digest-table.ts";
import { MOST_ENTRIES } from "./limits.ts";
import { manifestReader, objectsIn, readObjects } from "./manifest.ts";
import type { ImageObject, ManifestEntry } from "./manifest-entry.ts";
import { type EntryPlace, EntryReader } from "./read-entries.ts";

/** Entries are found by where each so manieth begins: more take longer to find one, fewer take memory. */
const STEP = 16;
const DIGEST = 32;

/**
 * A manifest that was checked, in little more memory than its bytes: entries are read out of them again when they are asked
 * for. Whoever asks for one after the other waits least.
 */
export class ManifestView {
  readonly entryCount: number;
  readonly #bytes: Buffer;
  readonly #reader: EntryReader;
  readonly #lengths: Uint32Array;
  /** Where each object's digest lies. */
  readonly #digests: Uint32Array;
  readonly #places: readonly EntryPlace[];
  /** The entry that the reader stands before, and the one before that. */
  #next = 0;
  #last: ManifestEntry | undefined;

  /** What another thread makes the same view of: memory that both read. */
  readonly shared: SharedManifest;

  /** Of what was checked before. */
  constructor(shared: SharedManifest) {
    const { bytes, objects, places, entryCount } = shared;
    this.shared = shared;
    this.#bytes = bufferOf(bytes);
    this.#lengths = objects.lengths;
    this.#digests = objects.digests;
    this.#places = places;
    this.entryCount = entryCount;
    this.#reader = new EntryReader(new ByteReader(bytes, "manifest"));
    this.#goTo(0);
  }

  /** Checks all of it, as `parseManifest` does. Each entry is told as it is read; the manifest is good only when this ends. */
  static read(raw: Uint8Array, told: (entry: ManifestEntry, lengths: Uint32Array) => void): FindableManifest {
    const bytes = new Uint8Array(new SharedArrayBuffer(raw.length));
    bytes.set(raw);
    const reader = manifestReader(bytes);
    const { table, ...objects } = readAllObjects(bytes, reader);
    const count = reader.number("the number of entries", MOST_ENTRIES);
    const entries = new EntryReader(reader, objects.lengths);
    const places: EntryPlace[] = [];
    for (let number = 0; number < count; number += 1) {
      if (number % STEP === 0) places.push(entries.place);
      told(entries.next(), objects.lengths);
    }
    entries.end();
    return new FindableManifest({ bytes, objects, places, entryCount: count }, table);
  }

  get objectCount(): number {
    return this.#lengths.length;
  }

  /** A part of the manifest's memory. */
  digest(object: number): Buffer {
    const at = this.#digests[object];
    if (at === undefined) throw new RangeError(`no object ${object}`);
    return this.#bytes.subarray(at, at + DIGEST);
  }

  length(object: number): number {
    return this.#lengths[object] ?? 0;
  }

  entry(number: number): ManifestEntry {
    if (number >= this.entryCount) throw new RangeError(`no entry ${number}`);
    if (number === this.#next - 1 && this.#last !== undefined) return this.#last;
    if (number < this.#next || number >= this.#next + STEP) this.#goTo(number);
    for (;;) {
      this.#last = this.#reader.next();
      this.#next += 1;
      if (this.#next > number) return this.#last;
    }
  }

  *entries(): Generator<ManifestEntry, void, undefined> {
    for (let number = 0; number < this.entryCount; number += 1) yield this.entry(number);
  }

  *objects(): Generator<ImageObject, void, undefined> {
    for (let number = 0; number < this.objectCount; number += 1) {
      yield { digest: this.digest(number), length: this.length(number) };
    }
  }

  #goTo(number: number): void {
    const step = Math.floor(number / STEP);
    const place = this.#places[step];
    if (place === undefined) throw new RangeError(`no entry ${number}`);
    this.#reader.goTo(place);
    this.#next = step * STEP;
    this.#last = undefined;
  }
}

/** Where it was read, objects are found by their digests as well. */
export class FindableManifest extends ManifestView {
  readonly #table: DigestTable;

  constructor(shared: SharedManifest, table: DigestTable) {
    super(shared);
    this.#table = table;
  }

  /** The object with the digest at `offset` of some bytes; undefined when it is none of this manifest. */
  find(bytes: Buffer, offset = 0): number | undefined {
    return this.#table.find(bytes, offset);
  }
}

interface Objects {
  readonly lengths: Uint32Array;
  readonly digests: Uint32Array;
  readonly table: DigestTable;
}

/** A view's memory. */
export interface SharedManifest {
  readonly bytes: Uint8Array;
  readonly objects: Omit<Objects, "table">;
  readonly places: readonly EntryPlace[];
  readonly entryCount: number;
}

function readAllObjects(bytes: Uint8Array, reader: ByteReader): Objects {
  // No more than there can be, whatever it says.
  const most = Math.min(objectsIn(bytes), Math.floor(bytes.length / DIGEST));
  const lengths = sharedNumbers(most);
  const digests = sharedNumbers(most);
  const table = new DigestTable(bufferOf(bytes), digests);
  let count = 0;
  const isNew = (digest: Buffer) => {
    digests[count] = digest.byteOffset - bytes.byteOffset;
    return table.add(count);
  };
  for (const { length } of readObjects(reader, isNew)) {
    lengths[count] = length;
    count += 1;
  }
  return { lengths: lengths.subarray(0, count), digests: digests.subarray(0, count), table };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** So many zeros, in memory that threads have in common. */
export function sharedNumbers(count: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT));
}
