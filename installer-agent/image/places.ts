import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { ManifestView, type SharedManifest } from "../../proto/image/manifest-view.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import { extentsOf } from "./extents.ts";

/** One object from end to end, without a hole: it is made and finished at once, and nothing else is ever written to it. */
export function isAtOnce({ segments, objects }: ManifestEntry): boolean {
  return segments === undefined && objects.length === 1;
}

/** What another thread knows of an image's pieces: memory that both read. */
export interface SharedPlaces {
  readonly manifest: SharedManifest;
  readonly firstOfEntry: Uint32Array;
  readonly entry: Uint32Array;
  readonly object: Uint32Array;
}

/** Every place of every object of an image: each file's pieces in order, numbered through the whole manifest. */
export class Places {
  readonly manifest: ManifestView;
  readonly shared: SharedPlaces;
  /** Of the entry that was asked for last: whoever asks, asks for all pieces of a file one after the other. */
  #last: { readonly entry: number; readonly extents: readonly (readonly Segment[])[] } | undefined;

  constructor(shared: SharedPlaces, manifest = new ManifestView(shared.manifest)) {
    this.shared = shared;
    this.manifest = manifest;
  }

  /** Of one file: from, and up to but without. */
  ofEntry(entry: number): readonly [number, number] {
    const { firstOfEntry } = this.shared;
    return [firstOfEntry[entry] ?? 0, firstOfEntry[entry + 1] ?? 0];
  }

  /** Which file a piece belongs to, and the how manieth it is there. */
  placeOf(piece: number): { readonly entry: number; readonly index: number } {
    const entry = this.shared.entry[piece] ?? 0;
    return { entry, index: piece - this.ofEntry(entry)[0] };
  }

  entryAt(number: number): ManifestEntry {
    return this.manifest.entry(number);
  }

  /** Where each piece of a file lies in it. */
  extentsOf(entry: number): readonly (readonly Segment[])[] {
    if (this.#last?.entry !== entry) this.#last = { entry, extents: extentsOf(this.entryAt(entry)) };
    return this.#last.extents;
  }

  /** Of its own memory: what it is a part of would go along to another thread. */
  digestOf(object: number): Uint8Array {
    return new Uint8Array(this.manifest.digest(object));
  }

  objectOf(piece: number): number {
    return this.shared.object[piece] ?? 0;
  }

  /** Bytes. */
  lengthOf(piece: number): number {
    return this.manifest.length(this.objectOf(piece));
  }
}
