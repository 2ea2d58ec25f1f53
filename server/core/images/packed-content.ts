/** The content of an image, out of packs. Reads from the disk at once: for threads that do nothing else meanwhile. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { LARGEST_OBJECT } from "../../../proto/image/limits.ts";
import { type Manifest, manifestBytes, parseManifest } from "../../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../../proto/image/manifest-entry.ts";
import type { PackFrame } from "../../../proto/image/pack.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import { readAt, readPackIndex } from "./pack-frames.ts";

export interface StoredImage {
  readonly manifest: StoredFile;
  /** In the order in which they are asked for an object. */
  readonly packs: readonly StoredFile[];
}

interface Place {
  readonly pack: number;
  readonly frame: PackFrame;
  readonly index: number;
}

/** Frames that are kept open, at most 4 MiB each: files side by side lie in the same ones. */
const MOST_FRAMES = 12;

export class PackedContent implements Disposable {
  readonly manifest: Manifest;
  readonly #files: readonly number[];
  readonly #places = new Map<string, Place>();
  readonly #opened = new Map<PackFrame, readonly Buffer[]>();

  /** `invalid` or `data-loss` when the manifest or an index is damaged. */
  constructor({ manifest, packs }: StoredImage) {
    this.manifest = parseManifest(manifestBytes(readFileSync(manifest.path), manifest.digest));
    const wanted = new Set(this.manifest.objects.map(({ digest }) => digest.toString("latin1")));
    for (const [pack, file] of packs.entries()) {
      for (const frame of readPackIndex(file).frames) {
        for (const [index, { digest }] of frame.objects.entries()) {
          const key = digest.toString("latin1");
          if (wanted.delete(key)) this.#places.set(key, { pack, frame, index });
        }
      }
    }
    this.#files = packs.map(({ path }) => openSync(path, "r"));
  }

  /** Checked by its digest. */
  object(number: number): Buffer {
    const { pack, frame, index } = this.#placeOf(number);
    let contents = this.#opened.get(frame);
    if (contents === undefined) {
      contents = openFrame(readAt(this.#files[pack] ?? -1, frame.offset, frame.compressedBytes), frame);
      const [oldest] = this.#opened.keys();
      if (oldest !== undefined && this.#opened.size >= MOST_FRAMES) this.#opened.delete(oldest);
    } else {
      this.#opened.delete(frame);
    }
    this.#opened.set(frame, contents);
    return contents[index] ?? missing();
  }

  /** Part of a file as programs read it: holes are zeros. */
  part({ segments, size, objects }: ManifestEntry, offset: number, length: number): Buffer {
    const content = Buffer.alloc(length);
    let before = 0;
    for (const segment of segments ?? [{ offset: 0, size }]) {
      const from = Math.max(offset, segment.offset);
      const to = Math.min(offset + length, segment.offset + segment.size);
      for (let at = from; at < to; ) {
        const data = before + at - segment.offset;
        const object = this.object(objects[Math.floor(data / LARGEST_OBJECT)] ?? -1);
        const piece = object.subarray(data % LARGEST_OBJECT, (data % LARGEST_OBJECT) + to - at);
        if (piece.length === 0) missing();
        content.set(piece, at - offset);
        at += piece.length;
      }
      before += segment.size;
    }
    return content;
  }

  /** What fetching these objects takes: all of the frames that they lie in. */
  fetchedBytes(numbers: Iterable<number>): number {
    const frames = new Set([...numbers].map((number) => this.#placeOf(number).frame));
    return [...frames].reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) closeSync(file);
  }

  #placeOf(number: number): Place {
    return this.#places.get(this.manifest.objects[number]?.digest.toString("latin1") ?? "") ?? missing();
  }
}

function missing(): never {
  throw new HpsError("data-loss", "an object of the image is in none of its packs", {
    hint: "hpsctl image verify says what is damaged",
  });
}
