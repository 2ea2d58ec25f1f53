import { closeSync } from "node:fs";
import { type ByteString, joinParts } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import { makeDirectory, openDirectoryBeneath } from "../native/paths.ts";

/** Entries of one folder come together; more open ones would serve nobody. */
const MOST_OPEN = 64;

/** Folders below a root, opened without following any link, created where they are missing and kept open while they are in use. */
export class Directories {
  readonly #root: number;
  /** Least recently used first. */
  readonly #open = new Map<ByteString, number>();

  /** `root` is an open directory and stays the caller's. */
  constructor(root: number) {
    this.#root = root;
  }

  /** A descriptor to use as `at`, valid until the next but one call of this object. */
  at(parts: readonly ByteString[]): number {
    if (parts.length === 0) return this.#root;
    const path = joinParts(parts);
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const opened = this.#openOrMake(parts, path);
    this.#keep(path, opened);
    return opened;
  }

  /** What lies at `path` and below is about to go. */
  forget(path: ByteString): void {
    for (const [open, fd] of this.#open) {
      if (open !== path && !open.startsWith(`${path}/`)) continue;
      this.#open.delete(open);
      closeSync(fd);
    }
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #openOrMake(parts: readonly ByteString[], path: ByteString): number {
    try {
      return openDirectoryBeneath(this.#root, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    const name = parts.at(-1) ?? path;
    makeDirectory(this.at(parts.slice(0, -1)), name, 0o755);
    return openDirectoryBeneath(this.#root, path);
  }

  #keep(path: ByteString, fd: number): void {
    this.#open.set(path, fd);
    if (this.#open.size <= MOST_OPEN) return;
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    closeSync(oldest[1]);
  }
}
