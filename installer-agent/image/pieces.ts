import type { Manifest } from "../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import { extentsOf } from "./extents.ts";

/**
 * Every place of every object of an image: each file's pieces in order, numbered through the whole manifest, and which of
 * them hold what they should. Kept in flat arrays, for there may be millions.
 */
export class Pieces {
  readonly manifest: Manifest;
  readonly #firstOfEntry: Uint32Array;
  readonly #entry: Uint32Array;
  readonly #object: Uint32Array;
  readonly #firstOfObject: Uint32Array;
  /** Pieces by object: those of object `o` from `#firstOfObject[o]` on. */
  readonly #byObject: Uint32Array;
  readonly #good: Uint8Array;
  #goodBytes = 0;
  #allBytes = 0;

  /** Of the entry that was asked for last: whoever asks, asks for all pieces of a file one after the other. */
  #last: { readonly entry: number; readonly extents: readonly (readonly Segment[])[] } | undefined;

  constructor(manifest: Manifest) {
    const { entries, objects } = manifest;
    this.manifest = manifest;
    const count = entries.reduce((sum, entry) => sum + entry.objects.length, 0);
    this.#firstOfEntry = new Uint32Array(entries.length + 1);
    this.#entry = new Uint32Array(count);
    this.#object = new Uint32Array(count);
    this.#firstOfObject = new Uint32Array(objects.length + 1);
    this.#byObject = new Uint32Array(count);
    this.#good = new Uint8Array(count);
    let piece = 0;
    for (const [number, entry] of entries.entries()) {
      for (const object of entry.objects) {
        this.#entry[piece] = number;
        this.#object[piece] = object;
        this.#allBytes += this.#lengthOf(object);
        piece += 1;
      }
      this.#firstOfEntry[number + 1] = piece;
    }
    this.#orderByObject();
  }

  /** Of one file: from, and up to but without. */
  ofEntry(entry: number): readonly [number, number] {
    return [this.#firstOfEntry[entry] ?? 0, this.#firstOfEntry[entry + 1] ?? 0];
  }

  /** Which file a piece belongs to, and the how manieth it is there. */
  placeOf(piece: number): { readonly entry: number; readonly index: number } {
    const entry = this.#entry[piece] ?? 0;
    return { entry, index: piece - (this.#firstOfEntry[entry] ?? 0) };
  }

  /** Of what number an entry is. */
  entryAt(number: number): ManifestEntry {
    const entry = this.manifest.entries[number];
    if (entry === undefined) throw new RangeError(`no entry ${number}`);
    return entry;
  }

  /** Where each piece of a file lies in it. */
  extentsOf(entry: number): readonly (readonly Segment[])[] {
    if (this.#last?.entry !== entry) this.#last = { entry, extents: extentsOf(this.entryAt(entry)) };
    return this.#last.extents;
  }

  /** Of its own memory: what a parsed digest is a part of would go along to another thread. */
  digestOf(object: number): Uint8Array {
    const digest = this.manifest.objects[object]?.digest;
    if (digest === undefined) throw new RangeError(`no object ${object}`);
    return new Uint8Array(digest);
  }

  /** Bytes of content that are good, and of all. */
  get bytes(): { readonly good: number; readonly all: number } {
    return { good: this.#goodBytes, all: this.#allBytes };
  }

  objectOf(piece: number): number {
    return this.#object[piece] ?? 0;
  }

  /** The pieces of an object that do not hold it yet. */
  lacking(object: number): number[] {
    const all = this.#byObject.subarray(this.#firstOfObject[object], this.#firstOfObject[object + 1]);
    return [...all].filter((piece) => !this.isGood(piece));
  }

  isGood(piece: number): boolean {
    return this.#good[piece] === 1;
  }

  setGood(piece: number): void {
    if (this.isGood(piece)) return;
    this.#good[piece] = 1;
    this.#goodBytes += this.#lengthOf(this.objectOf(piece));
  }

  /** Whether every piece of a file is good. */
  isWhole(entry: number): boolean {
    const [from, to] = this.ofEntry(entry);
    return !this.#good.subarray(from, to).includes(0);
  }

  /** The files that lack something yet. */
  lackingEntries(): number[] {
    return [...this.manifest.entries.keys()].filter((entry) => !this.isWhole(entry));
  }

  /** The objects that some file lacks yet, in their order. */
  lackingObjects(): number[] {
    const lacking = new Set<number>();
    for (const [piece, good] of this.#good.entries()) if (good === 0) lacking.add(this.objectOf(piece));
    return [...lacking].sort((one, other) => one - other);
  }

  #lengthOf(object: number): number {
    return this.manifest.objects[object]?.length ?? 0;
  }

  #orderByObject(): void {
    const starts = this.#firstOfObject;
    for (const object of this.#object) starts[object + 1] = (starts[object + 1] ?? 0) + 1;
    for (let object = 1; object < starts.length; object += 1) {
      starts[object] = (starts[object] ?? 0) + (starts[object - 1] ?? 0);
    }
    const next = starts.slice();
    for (const [piece, object] of this.#object.entries()) {
      const at = next[object] ?? 0;
      this.#byObject[at] = piece;
      next[object] = at + 1;
    }
  }
}
