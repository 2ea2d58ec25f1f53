import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type FindableManifest, sharedNumbers } from "../../proto/image/manifest-view.ts";
import { NumberList } from "./number-list.ts";
import { isAtOnce, Places } from "./places.ts";

/** What becomes of an entry: it is made without content, with all its content at once, piece by piece, or is another's second name. */
export const MAKING = { folder: 1, empty: 2, atOnce: 3, later: 4, link: 5 } as const;

export type Making = (typeof MAKING)[keyof typeof MAKING];

function makingOf(entry: ManifestEntry): Making {
  if (entry.type === "hardlink") return MAKING.link;
  if (entry.type === "directory") return MAKING.folder;
  // A file that is nothing but a hole has no piece either, but a size.
  if (entry.size === 0) return MAKING.empty;
  return isAtOnce(entry) ? MAKING.atOnce : MAKING.later;
}

/** Reads the pieces of a manifest's entries while they come. */
export class PiecesReader {
  readonly firstOfEntry = new NumberList();
  readonly objects = new NumberList();
  readonly makings = new NumberList();

  /** The next one. */
  add(entry: ManifestEntry): void {
    this.firstOfEntry.push(this.objects.length);
    this.makings.push(makingOf(entry));
    for (const object of entry.objects) this.objects.push(object);
  }
}

/** The pieces of an image, and which of them hold what they should. Kept in flat arrays, for there may be millions. */
export class Pieces extends Places {
  /** The manifest, where objects are found by their digests. */
  readonly objects: FindableManifest;
  readonly #makings: Uint8Array;
  readonly #firstOfObject: Uint32Array;
  /** Pieces by object: those of object `o` from `#firstOfObject[o]` on. */
  readonly #byObject: Uint32Array;
  readonly #good: Uint8Array;
  #goodBytes = 0;
  #allBytes = 0;

  constructor(manifest: FindableManifest, { firstOfEntry, objects, makings }: PiecesReader) {
    const entry = sharedNumbers(objects.length);
    firstOfEntry.push(objects.length);
    super({ manifest: manifest.shared, firstOfEntry: firstOfEntry.taken(), entry, object: objects.taken() }, manifest);
    this.objects = manifest;
    this.#makings = Uint8Array.from(makings.taken());
    this.#firstOfObject = new Uint32Array(manifest.objectCount + 1);
    this.#byObject = new Uint32Array(entry.length);
    this.#good = new Uint8Array(entry.length);
    for (let number = 0; number < manifest.entryCount; number += 1) entry.fill(number, ...this.ofEntry(number));
    for (const object of this.shared.object) this.#allBytes += manifest.length(object);
    this.#orderByObject();
  }

  /** The entries of which that becomes, in their order. */
  entriesOf(...makings: readonly Making[]): number[] {
    const numbers: number[] = [];
    for (const [number, making] of this.#makings.entries()) {
      if (makings.some((one) => one === making)) numbers.push(number);
    }
    return numbers;
  }

  /** Bytes of content that are good, and of all. */
  get bytes(): { readonly good: number; readonly all: number } {
    return { good: this.#goodBytes, all: this.#allBytes };
  }

  /** The pieces of an object that do not hold it yet. */
  lacking(object: number): number[] {
    const all = this.#byObject.subarray(this.#firstOfObject[object], this.#firstOfObject[object + 1]);
    return [...all].filter((piece) => !this.isGood(piece));
  }

  isLacking(object: number): boolean {
    const [from = 0, to = 0] = [this.#firstOfObject[object], this.#firstOfObject[object + 1]];
    for (let at = from; at < to; at += 1) if (!this.isGood(this.#byObject[at] ?? 0)) return true;
    return false;
  }

  isGood(piece: number): boolean {
    return this.#good[piece] === 1;
  }

  setGood(piece: number): void {
    if (this.isGood(piece)) return;
    this.#good[piece] = 1;
    this.#goodBytes += this.lengthOf(piece);
  }

  /** Whether every piece of a file is good. */
  isWhole(entry: number): boolean {
    const [from, to] = this.ofEntry(entry);
    return !this.#good.subarray(from, to).includes(0);
  }

  /** The files that lack something yet. */
  lackingEntries(): number[] {
    const numbers: number[] = [];
    for (let entry = 0; entry < this.manifest.entryCount; entry += 1) if (!this.isWhole(entry)) numbers.push(entry);
    return numbers;
  }

  /** The objects that some file lacks yet, in their order. */
  lackingObjects(): number[] {
    const numbers: number[] = [];
    for (let object = 0; object < this.manifest.objectCount; object += 1) {
      if (this.isLacking(object)) numbers.push(object);
    }
    return numbers;
  }

  #orderByObject(): void {
    const starts = this.#firstOfObject;
    for (const object of this.shared.object) starts[object + 1] = (starts[object + 1] ?? 0) + 1;
    for (let object = 1; object < starts.length; object += 1) {
      starts[object] = (starts[object] ?? 0) + (starts[object - 1] ?? 0);
    }
    const next = starts.slice();
    for (const [piece, object] of this.shared.object.entries()) {
      const at = next[object] ?? 0;
      this.#byObject[at] = piece;
      next[object] = at + 1;
    }
  }
}
