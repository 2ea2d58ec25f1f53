import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { bytesOf, latin1, showName } from "../../proto/tree/byte-string.ts";
import { END_MARK, encodeGnuEntry, type NewEntry, paddingOf } from "../../proto/tree/tar/encode.ts";
import { type LocalNode, unreadable } from "./local-tree.ts";

const PIECE = 256 * 1024;

/** Modes without `-p`: nobody but the owner writes, and no program runs as its owner. */
const PLAIN_MODE = 0o755;

export interface ArchiveOptions {
  /** All permission bits and the times as they are. */
  readonly exact: boolean;
  /** One sentence about a file that is left out, or not as it should be. */
  readonly onProblem: (sentence: string) => void;
  /** Content that went by. */
  readonly onBytes: (count: number) => void;
}

/**
 * A tar archive that GNU tar and busybox read, of files here. All is root's. Where times are kept, folders come once more at the
 * end, inner ones first: busybox sets a folder's time when it meets it, and what is put into it changes it again.
 */
export async function* localArchive(
  nodes: Iterable<LocalNode>,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array, void> {
  const folders: Buffer[] = [];
  for (const node of nodes) {
    if (node.type === "file") {
      yield* fileMember(node, options);
      continue;
    }
    const header = encodeGnuEntry(entryOf(node, 0, options));
    if (options.exact && node.type === "directory") folders.push(header);
    yield header;
  }
  yield* folders.reverse();
  yield END_MARK;
}

async function* fileMember(node: LocalNode, options: ArchiveOptions): AsyncGenerator<Uint8Array, void> {
  let file: FileHandle;
  try {
    // Neither waits for a pipe that was put in the file's place, nor follows a link.
    file = await open(bytesOf(node.place), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    options.onProblem(unreadable(node.place, error).message);
    return;
  }
  try {
    const size = Number(node.stat.size);
    yield encodeGnuEntry(entryOf(node, size, options));
    yield* content(file, node, size, options);
    yield paddingOf(size);
  } finally {
    await file.close();
  }
}

/** Exactly `size` bytes: the archive has promised them. */
async function* content(
  file: FileHandle,
  node: LocalNode,
  size: number,
  { onBytes, onProblem }: ArchiveOptions,
): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < size; ) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at).catch((error: unknown) => {
      throw unreadable(node.place, error);
    });
    if (bytesRead === 0) {
      onProblem(`${showName(node.place)} became shorter while it was copied; zeros stand in the place of what went`);
      yield* zeros(size - at);
      return;
    }
    onBytes(bytesRead);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function* zeros(count: number): Generator<Uint8Array, void> {
  for (let left = count; left > 0; left -= PIECE) yield Buffer.alloc(Math.min(PIECE, left));
}

function entryOf({ name, type, link, stat }: LocalNode, size: number, { exact }: ArchiveOptions): NewEntry {
  const path = type === "directory" ? latin1(`${name}/`) : name;
  const mode = Number(stat.mode) & (exact ? 0o7777 : PLAIN_MODE);
  return { type, path, link, size, mode, mtime: stat.mtimeNs, ...{ uid: 0, gid: 0, major: 0, minor: 0, xattrs: [] } };
}
