/** What is on a disk already, read to see whether it is what is needed. Nothing is believed but a SHA-256. */
import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import { type ByteString, showName } from "../../proto/tree/byte-string.ts";
import { errnoOf } from "../../proto/tree/native/call-error.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import { openBeneath } from "../../proto/tree/native/paths.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { OldFile, ReuseJob, WantedObject } from "./jobs.ts";

/** Old folders that were opened, and room for one object. */
export class OldContent {
  readonly #roots = new Map<string, number>();
  readonly #room = Buffer.allocUnsafeSlow(LARGEST_OBJECT);

  /** Calls `found` with the bytes of each wanted object that one of the old files holds. */
  look(job: ReuseJob, found: (wanted: WantedObject, bytes: Uint8Array) => void): void {
    const lacking = job.pieces.map(({ extents, wanted }) => ({
      extents,
      wanted: new Map(wanted.map((one) => [keyOf(one.digest), one])),
    }));
    for (const { root, path } of job.olds) {
      if (lacking.every(({ wanted }) => wanted.size === 0)) return;
      this.#withFile(root, path, (fd) => {
        const stat = fstatSync(fd);
        if (!stat.isFile() || stat.size !== job.size) return;
        for (const piece of lacking) this.#lookIn(fd, piece, found);
      });
    }
  }

  /** The bytes that lie in `extents`, one after the other; valid until the next call. Undefined where the file ends before them. */
  read(fd: number, extents: readonly Segment[]): Buffer | undefined {
    let filled = 0;
    for (const { offset, size } of extents) {
      for (let done = 0; done < size; ) {
        const count = readSync(fd, this.#room, filled, size - done, offset + done);
        if (count === 0) return undefined;
        filled += count;
        done += count;
      }
    }
    return this.#room.subarray(0, filled);
  }

  /** A part of an old file, holes as zeros; throws `not-found` where it is not there. */
  window({ root, path, offset, length }: OldFile & { readonly offset: number; readonly length: number }): Buffer {
    let bytes: Buffer | undefined;
    this.#withFile(root, path, (fd) => {
      const there = fstatSync(fd).isFile() ? this.#readOld(fd, [{ offset, size: length }]) : undefined;
      bytes = there === undefined ? undefined : Buffer.from(there);
    });
    if (bytes === undefined) throw new HpsError("not-found", `${showName(path)} is not there as it should be`);
    return bytes;
  }

  close(): void {
    for (const fd of this.#roots.values()) closeSync(fd);
    this.#roots.clear();
  }

  #lookIn(
    fd: number,
    { extents, wanted }: { readonly extents: readonly Segment[]; readonly wanted: Map<string, WantedObject> },
    found: (wanted: WantedObject, bytes: Uint8Array) => void,
  ): void {
    if (wanted.size === 0) return;
    const bytes = this.#readOld(fd, extents);
    if (bytes === undefined) return;
    const key = keyOf(hash("sha256", bytes, "buffer"));
    const match = wanted.get(key);
    if (match === undefined) return;
    wanted.delete(key);
    found(match, bytes);
  }

  /** What the disk no longer gives, or the file system finds damaged (an errno of its own), is not there. */
  #readOld(fd: number, extents: readonly Segment[]): Buffer | undefined {
    try {
      return this.read(fd, extents);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** A file that has gone is none that holds anything. */
  #withFile(root: string, path: ByteString, work: (fd: number) => void): void {
    const fd = openOld(this.#rootAt(root), path);
    if (fd === undefined) return;
    try {
      work(fd);
    } finally {
      closeSync(fd);
    }
  }

  #rootAt(path: string): number {
    const known = this.#roots.get(path);
    if (known !== undefined) return known;
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#roots.set(path, fd);
    return fd;
  }
}

/** Never waits for a fifo, follows no link. */
function openOld(root: number, path: ByteString): number | undefined {
  try {
    return openBeneath(root, path, { flags: constants.O_RDONLY | constants.O_NONBLOCK });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Whether `bytes` are what `digest` names. */
export function isObject(bytes: Uint8Array, digest: Uint8Array): boolean {
  return hash("sha256", bytes, "buffer").equals(digest);
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString("latin1");
}
