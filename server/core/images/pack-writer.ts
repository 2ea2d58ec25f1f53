/** Writes one pack, in a thread whose business it is to wait for the disk. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from "node:fs";
import { parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import { encodePackEnd, PACK, PACK_HEAD } from "../../../proto/image/pack.ts";
import { diskError } from "../files/disk-error.ts";

/** So much at most waits for the disk when the pack is whole: its last sync must not hold up the store's. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/** A whole and durable pack that has no name yet. */
export interface WrittenPack {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly indexOffset: number;
  readonly indexBytes: number;
}

export class PackWriter {
  readonly #path: string;
  readonly #what: string;
  readonly #hash: Hash = createHash("sha256");
  readonly #frames: { readonly compressedBytes: number; readonly objects: readonly ImageObject[] }[] = [];
  #file: number | undefined;
  #bytes = 0;
  #objects = 0;
  #unsynced = 0;

  /** Never an existing file; 0600. `what` names it to its sender: `image debian:12`. */
  constructor(path: string, what: string) {
    this.#path = path;
    this.#what = what;
    this.#file = this.#guard(() => openSync(path, "wx", 0o600));
    this.#write(PACK_HEAD);
  }

  /** So far, without the index. */
  get bytes(): number {
    return this.#bytes;
  }

  get objects(): number {
    return this.#objects;
  }

  /** Adds a frame that was checked. */
  append(frame: Uint8Array, objects: readonly ImageObject[]): void {
    this.#write(frame);
    this.#frames.push({ compressedBytes: frame.length, objects });
    this.#objects += objects.length;
  }

  finish(): WrittenPack {
    const end = encodePackEnd(this.#frames);
    this.#write(end);
    this.#guard(() => fsyncSync(this.#open()));
    this.close();
    const { indexOffset, indexBytes } = parseTrailer(PACK, end.subarray(-TRAILER_BYTES), this.#bytes);
    const digest = this.#hash.digest("hex");
    return { path: this.#path, digest, sizeBytes: this.#bytes, indexOffset, indexBytes };
  }

  /** The file itself is its maker's to remove. Idempotent. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #write(data: Uint8Array): void {
    this.#guard(() => {
      for (let at = 0; at < data.length; ) at += writeSync(this.#open(), data, at);
      this.#unsynced += data.length;
      if (this.#unsynced < SYNC_EVERY_BYTES) return;
      fdatasyncSync(this.#open());
      this.#unsynced = 0;
    });
    this.#hash.update(data);
    this.#bytes += data.length;
  }

  #open(): number {
    if (this.#file === undefined) throw new Error("the pack is closed");
    return this.#file;
  }

  #guard<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw diskError(error, this.#what);
    }
  }
}
