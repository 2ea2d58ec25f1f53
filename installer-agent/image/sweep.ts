import { type BigIntStats, closeSync, constants, fstatSync, lstatSync } from "node:fs";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type ByteString, bytesOf, latin1 } from "../../proto/tree/byte-string.ts";
import { openBeneath } from "../../proto/tree/native/paths.ts";
import { clearMetadata } from "../../proto/tree/unpack/clear-metadata.ts";
import { throughProc } from "../../proto/tree/unpack/metadata.ts";
import { removeTree } from "../../proto/tree/unpack/remove.ts";
import { unpackError } from "../../proto/tree/unpack/unpack-error.ts";
import { namesIn } from "../../proto/tree/walk/walk-tree.ts";
import { MARKER } from "./marker.ts";
import type { Pieces } from "./pieces.ts";
import { isAtOnce } from "./places.ts";

const FOLDER_MODE = 0o700;
/** What mkfs makes at the top of a file system, for fsck. */
const LOST_AND_FOUND = latin1("lost+found");

/**
 * Clears what an unfinished run, or mkfs, has left below `root` (an open folder) of all that is in an image's way: folders
 * stay, and are root's alone until they are finished anew; so do files that may be right already or in part; all else goes.
 * Gives one turn after another, so that the caller may pause between them, and tells in `swept` what is there.
 */
export function* sweep(root: number, pieces: Pieces, swept: Swept): Generator<void> {
  const wanted = new Names(pieces);
  const top = fstatSync(root, { bigint: true }).dev;
  clearMetadata(root, FOLDER_MODE, MARKER);
  yield* sweepFolder({ fd: root, path: latin1(""), device: top, isTop: true }, { pieces, wanted, swept });
}

export interface Swept {
  /** Numbers of the entries whose files may be right. */
  readonly found: number[];
  /** Folders on which other file systems are mounted. */
  readonly mounts: ByteString[];
}

/** Which entry has a path. They are looked for only where there is something: most often a file system is new. */
class Names {
  readonly #pieces: Pieces;
  #known: Map<ByteString, number> | undefined;

  constructor(pieces: Pieces) {
    this.#pieces = pieces;
  }

  get(path: ByteString): number | undefined {
    this.#known ??= new Map(this.#all());
    return this.#known.get(path);
  }

  *#all(): Generator<[ByteString, number]> {
    let number = 0;
    for (const { path } of this.#pieces.manifest.entries()) {
      yield [path, number];
      number += 1;
    }
  }
}

interface Folder {
  readonly fd: number;
  readonly path: ByteString;
  readonly device: bigint;
  /** Of its file system. */
  readonly isTop: boolean;
}

interface Sweeping {
  readonly pieces: Pieces;
  readonly wanted: Names;
  readonly swept: Swept;
}

function* sweepFolder(folder: Folder, sweeping: Sweeping): Generator<void> {
  for (const name of namesIn(folder.fd)) {
    yield;
    const path = folder.path === "" ? name : latin1(`${folder.path}/${name}`);
    const stat = lstatSync(bytesOf(throughProc(folder.fd, name)), { bigint: true });
    const number = sweeping.wanted.get(path);
    const entry = number === undefined ? undefined : sweeping.pieces.entryAt(number);
    if (stat.isDirectory() && entry?.type === "directory") yield* sweepBelow(folder, { name, path, stat }, sweeping);
    else if (number !== undefined && entry !== undefined && mayBeRight(entry, stat)) sweeping.swept.found.push(number);
    else if (!(folder.isTop && name === LOST_AND_FOUND && stat.isDirectory())) remove(folder.fd, name, path);
  }
}

function* sweepBelow(
  folder: Folder,
  { name, path, stat }: { readonly name: ByteString; readonly path: ByteString; readonly stat: BigIntStats },
  sweeping: Sweeping,
): Generator<void> {
  const fd = openBeneath(folder.fd, name, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
  try {
    clearMetadata(fd, FOLDER_MODE);
    const isTop = stat.dev !== folder.device;
    if (isTop) sweeping.swept.mounts.push(path);
    yield* sweepFolder({ fd, path, device: stat.dev, isTop }, sweeping);
  } finally {
    closeSync(fd);
  }
}

/** What was written in pieces may be shorter than it will be. */
function mayBeRight(entry: ManifestEntry, stat: BigIntStats): boolean {
  if (entry.type !== "file" || entry.objects.length === 0 || !stat.isFile()) return false;
  return isAtOnce(entry) ? stat.size === BigInt(entry.size) : stat.size <= BigInt(entry.size);
}

function remove(at: number, name: ByteString, path: ByteString): void {
  try {
    removeTree(at, name);
  } catch (error) {
    throw unpackError(error, path);
  }
}
