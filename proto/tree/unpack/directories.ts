import { closeSync } from "node:fs";
import { type ByteString, joinParts, splitPath } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import { makeDirectory, openDirectoryBeneath } from "../native/paths.ts";

/** Entries of one folder come together; more open ones would serve nobody. */
const MOST_OPEN = 64;

/** Folders below a root, opened without following any link, created where they are missing and kept open while they are in use. */
export class Directories {
  readonly #root: number;
  readonly #mode: number;
  /** Least recently used first. */
  readonly #open = new Map<ByteString, number>();

  /** `root` is an open directory and stays the caller's; missing folders get `mode`. */
  constructor(root: number, { mode = 0o755 } = {}) {
    this.#root = root;
    this.#mode = mode;
  }

  /** A descriptor to use as `at`, valid until the next but one call of this object. */
  at(parts: readonly ByteString[]): number {
    return this.atPath(joinParts(parts));
  }

  /** The same by a path whose parts are between single slashes; "" is the root. */
  atPath(path: ByteString): number {
    if (path === "") return this.#root;
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const opened = this.#openOrMake(path);
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

  #openOrMake(path: ByteString): number {
    try {
      return openDirectoryBeneath(this.#root, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    const { folder, name } = splitPath(path);
    try {
      makeDirectory(this.atPath(folder), name, this.#mode);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error; // another thread made it
    }
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
