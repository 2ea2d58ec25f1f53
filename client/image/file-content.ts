/** Cuts the content of one file, as it comes, into an image's objects. */
import { HOLE_BLOCK, LARGEST_OBJECT } from "../../proto/image/limits.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import type { ObjectSpool } from "./object-spool.ts";

const ZEROS = Buffer.alloc(HOLE_BLOCK);

export interface CutContent {
  /** The data, cut each 4 MiB. */
  readonly objects: readonly ImageObject[];
  /** Where a sparse file holds data; undefined for a dense one. */
  readonly segments?: readonly Segment[];
}

export interface FileContent {
  /** The next piece; places only grow. */
  add(bytes: Uint8Array, offset: number): void;
  /** When all has come. */
  end(): CutContent;
}

/** Of one file at a time. `segments` are where the source says that the file holds data; undefined when it knows of no hole. */
export function fileContent(spool: ObjectSpool, size: number, segments: readonly Segment[] | undefined): FileContent {
  const data = segments?.reduce((sum, segment) => sum + segment.size, 0) ?? size;
  return data < size ? new SparseContent(spool, size) : new DenseContent(spool, size);
}

class DenseContent implements FileContent {
  readonly #spool: ObjectSpool;
  readonly #objects: ImageObject[] = [];
  /** What is still to come, as far as is known. */
  #left: number;
  #filled = 0;

  constructor(spool: ObjectSpool, size = Number.POSITIVE_INFINITY) {
    this.#spool = spool;
    this.#left = size;
  }

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = LARGEST_OBJECT - this.#filled;
      const piece = bytes.subarray(at, at + room);
      at += piece.length;
      const isWhole = this.#filled === 0 && (piece.length === LARGEST_OBJECT || piece.length === this.#left);
      this.#left -= piece.length;
      if (isWhole) this.#objects.push(this.#spool.add(piece));
      else this.#gather(piece);
    }
  }

  end(): CutContent {
    if (this.#filled > 0) this.#cut();
    return { objects: this.#objects };
  }

  #gather(piece: Uint8Array): void {
    this.#spool.cutting.set(piece, this.#filled);
    this.#filled += piece.length;
    if (this.#filled === LARGEST_OBJECT) this.#cut();
  }

  #cut(): void {
    this.#objects.push(this.#spool.add(this.#spool.cutting.subarray(0, this.#filled)));
    this.#filled = 0;
  }
}

/**
 * Finds the holes by the content, so that they are the same whichever file system or archive told of them: blocks of 4 KiB
 * that are all zeros.
 */
class SparseContent implements FileContent {
  readonly #size: number;
  readonly #data: DenseContent;
  readonly #segments: Segment[] = [];
  /** The block that is being gathered, and what of it is known. */
  readonly #block = Buffer.alloc(HOLE_BLOCK);
  #blockAt = 0;

  constructor(spool: ObjectSpool, size: number) {
    this.#data = new DenseContent(spool);
    this.#size = size;
  }

  add(bytes: Uint8Array, offset: number): void {
    for (let at = 0; at < bytes.length; ) {
      const place = offset + at;
      const start = place - (place % HOLE_BLOCK);
      if (start !== this.#blockAt) this.#endBlock(start);
      const piece = bytes.subarray(at, at + HOLE_BLOCK - (place - start));
      this.#block.set(piece, place - start);
      at += piece.length;
    }
  }

  end(): CutContent {
    this.#endBlock(this.#size);
    const { objects } = this.#data.end();
    const [first] = this.#segments;
    // The source's hole was too small to be one here.
    if (first?.offset === 0 && first.size === this.#size) return { objects };
    return { objects, segments: this.#segments };
  }

  #endBlock(next: number): void {
    if (!this.#block.equals(ZEROS)) {
      const bytes = this.#block.subarray(0, this.#size - this.#blockAt);
      this.#grow(bytes.length);
      this.#data.add(bytes);
      this.#block.fill(0);
    }
    this.#blockAt = next;
  }

  #grow(length: number): void {
    const last = this.#segments.at(-1);
    const touches = last !== undefined && last.offset + last.size === this.#blockAt;
    if (touches) this.#segments[this.#segments.length - 1] = { offset: last.offset, size: last.size + length };
    else this.#segments.push({ offset: this.#blockAt, size: length });
  }
}
