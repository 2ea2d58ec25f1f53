import { closeSync, constants, lstatSync, openSync, type Stats } from "node:fs";
import { type ByteString, bytesOf, latin1 } from "../../proto/tree/byte-string.ts";
import { errnoOf } from "../../proto/tree/native/call-error.ts";
import { openBeneath } from "../../proto/tree/native/paths.ts";
import { throughProc } from "../../proto/tree/unpack/metadata.ts";
import { namesIn } from "../../proto/tree/walk/walk-tree.ts";
import type { FoundFile } from "./plan-reuse.ts";

/** An older system's files: they may hold what is needed. */
export interface OldRoot {
  /** Where they are mounted, read-only or left alone meanwhile. */
  readonly folder: string;
  /** The path of that folder in the system that it belongs to: `boot`; "" where that is the root. */
  readonly prefix: ByteString;
  /** Digest of the image that was unpacked there, where that is known. */
  readonly image?: string;
}

/** Of the older systems together; an older system of more files is looked at no further. */
const MOST_FILES = 4_000_000;

/**
 * Finds the regular files whose size is one of `sizes`; no link is followed, no other file system entered. Gives one turn
 * after another. A folder that cannot be read is one without files.
 */
export function* findOldFiles(
  { folder, prefix }: OldRoot,
  sizes: ReadonlySet<number>,
  found: FoundFile[],
): Generator<void> {
  const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const below = function* (fd: number, path: ByteString): Generator<void> {
    for (const name of names(fd)) {
      if (found.length >= MOST_FILES) return;
      yield;
      const stat = statOf(fd, name);
      const at = path === "" ? name : latin1(`${path}/${name}`);
      if (stat?.isFile() === true && stat.size > 0 && sizes.has(stat.size)) {
        const systemPath = prefix === "" ? at : latin1(`${prefix}/${at}`);
        found.push({ root: folder, path: at, size: stat.size, systemPath });
      } else if (stat?.isDirectory() === true) yield* inFolder(fd, name, (inside) => below(inside, at));
    }
  };
  try {
    yield* below(root, latin1(""));
  } finally {
    closeSync(root);
  }
}

function* inFolder(at: number, name: ByteString, work: (fd: number) => Generator<void>): Generator<void> {
  const fd = openFolder(at, name);
  if (fd === undefined) return;
  try {
    yield* work(fd);
  } finally {
    closeSync(fd);
  }
}

function statOf(at: number, name: ByteString): Stats | undefined {
  try {
    return lstatSync(bytesOf(throughProc(at, name)), { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined; // an inode that its disk does not give, or gives damaged
  }
}

function openFolder(at: number, name: ByteString): number | undefined {
  try {
    return openBeneath(at, name, { flags: constants.O_RDONLY | constants.O_DIRECTORY, sameMount: true });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function names(fd: number): readonly ByteString[] {
  try {
    return namesIn(fd);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}
