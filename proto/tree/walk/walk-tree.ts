import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, byteString, bytesOf, latin1, showName } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import { dataSegments, type Segment } from "../native/files.ts";
import { deviceParts, openBeneath } from "../native/paths.ts";
import { getXattr, listXattrs } from "../native/xattrs.ts";
import type { TarEntry, Xattr } from "../tar/entry.ts";

/** A piece of a file's content and its place; valid until the next one is asked for. */
interface Piece {
  readonly bytes: Buffer;
  readonly offset: number;
}

/** One inode under one of its names. `path` is relative to the tree's root, which is "" itself. */
export interface TreeNode
  extends Pick<TarEntry, "path" | "mode" | "uid" | "gid" | "mtime" | "size" | "link" | "major" | "minor"> {
  readonly type: Exclude<TarEntry["type"], "hardlink">;
  readonly xattrs: readonly Xattr[];
  /** The same for all names of one inode; undefined when it has but one. */
  readonly inode: string | undefined;
  /** Where a file holds data; all of it when it has no holes, nothing for what is no file. */
  readonly segments: readonly Segment[];
  /** A file's data, without its holes; of one file at a time. Throws `aborted` when the file is changed meanwhile. Only before the next node is asked for. */
  content(): Generator<Piece>;
}

const PIECE = 1 << 20;
const TYPE_MASK = 0o170000;

const TYPES: ReadonlyMap<number, TreeNode["type"]> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "character"],
  [0o060000, "block"],
  [0o010000, "fifo"],
]);

export interface WalkOptions {
  /** Folders on which another file system is mounted are shown, and what lies in them is not. */
  readonly sameMount?: boolean;
  /** With `sameMount`: hears of each such folder, and says whether it is entered all the same. */
  readonly enters?: (path: ByteString) => boolean;
  /** Says what is passed over, with all below it. */
  readonly skips?: (path: ByteString, type: TreeNode["type"]) => boolean;
  /** The tree is in use: names that vanish while it is walked are passed over. */
  readonly live?: boolean;
}

/**
 * All of a tree, folders before what they hold, names in the order of their bytes; the same tree gives the same nodes. No
 * link is followed. Sockets are left out: they mean nothing without the program that made them.
 */
export function* walkTree(root: string, options: WalkOptions = {}): Generator<TreeNode> {
  const folder = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const walk = { ...options, pieces: Buffer.allocUnsafeSlow(PIECE) };
  try {
    const node = nodeOf({ at: folder, name: latin1("."), path: latin1("") }, walk);
    if (node !== undefined) yield node;
    yield* walkFolder(folder, latin1(""), walk);
  } finally {
    closeSync(folder);
  }
}

interface Walk extends WalkOptions {
  /** Every file's content comes through it: memory for each would have V8 collect all the time. */
  readonly pieces: Buffer;
}

function* walkFolder(folder: number, path: ByteString, walk: Walk): Generator<TreeNode> {
  for (const name of namesIn(folder)) {
    const place = { at: folder, name, path: path === "" ? name : latin1(`${path}/${name}`) };
    const node = walk.live ? liveNodeOf(place, walk) : nodeOf(place, walk);
    if (node === undefined || walk.skips?.(node.path, node.type)) continue;
    yield node;
    if (node.type === "directory") yield* walkBelow(place, walk);
  }
}

function* walkBelow(place: Place, walk: Walk): Generator<TreeNode> {
  const folder = openFolder(place, walk);
  if (folder === undefined) return;
  try {
    yield* walkFolder(folder, place.path, walk);
  } finally {
    closeSync(folder);
  }
}

function openFolder({ at, name, path }: Place, { sameMount = false, enters, live }: WalkOptions): number | undefined {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  try {
    return openBeneath(at, name, { flags, sameMount });
  } catch (error) {
    if (live && errnoOf(error) === "ENOENT") return undefined;
    if (!sameMount || errnoOf(error) !== "EXDEV") throw error;
    return enters?.(path) ? openBeneath(at, name, { flags }) : undefined;
  }
}

/** Names in an open folder, sorted: the link in /proc leads to that very folder, whatever its path is by now. */
export function namesIn(folder: number): ByteString[] {
  return readdirSync(`/proc/self/fd/${folder}`, { encoding: "buffer" }).map(byteString).sort();
}

interface Place {
  readonly at: number;
  readonly name: ByteString;
  readonly path: ByteString;
}

function liveNodeOf(place: Place, walk: Walk): TreeNode | undefined {
  try {
    return nodeOf(place, walk);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function nodeOf(place: Place, { pieces }: Walk): TreeNode | undefined {
  const proc = latin1(`/proc/self/fd/${place.at}/${place.name}`);
  const stat = lstatSync(bytesOf(proc), { bigint: true });
  const type = TYPES.get(Number(stat.mode) & TYPE_MASK);
  if (type === undefined) return undefined;
  const isDevice = type === "character" || type === "block";
  const size = type === "file" ? Number(stat.size) : 0;
  const segments = segmentsOf(place, size, Number(stat.blocks));
  const isShared = type !== "directory" && stat.nlink > 1n;
  return {
    path: place.path,
    type,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    size,
    link: type === "symlink" ? byteString(readlinkSync(bytesOf(proc), { encoding: "buffer" })) : latin1(""),
    ...(isDevice ? deviceParts(stat.rdev) : { major: 0, minor: 0 }),
    xattrs: xattrsOf(proc),
    inode: isShared ? `${stat.dev}:${stat.ino}` : undefined,
    segments,
    content: () => contentOf(place, segments, stat, pieces),
  };
}

function xattrsOf(path: ByteString): Xattr[] {
  return listXattrs(path)
    .sort()
    .flatMap((name) => {
      const value = getXattr(path, name);
      return value === undefined ? [] : [{ name, value }];
    });
}

/** Only a file that takes less room than it is long can have holes. */
function segmentsOf(place: Place, size: number, blocks: number): readonly Segment[] {
  if (size === 0) return [];
  if (blocks * 512 >= size) return [{ offset: 0, size }];
  const file = openFile(place);
  try {
    return dataSegments(file, size);
  } finally {
    closeSync(file);
  }
}

function* contentOf(place: Place, segments: readonly Segment[], stat: BigIntStats, buffer: Buffer): Generator<Piece> {
  if (segments.length === 0) return;
  const file = openContent(place);
  try {
    for (const segment of segments) yield* piecesOf(file, segment, buffer, place.path);
    const now = fstatSync(file, { bigint: true });
    const isSame = now.ino === stat.ino && now.size === stat.size && now.mtimeNs === stat.mtimeNs;
    if (!isSame) throw changed(place.path);
  } finally {
    closeSync(file);
  }
}

function* piecesOf(file: number, { offset, size }: Segment, buffer: Buffer, path: ByteString): Generator<Piece> {
  const end = offset + size;
  for (let at = offset; at < end; ) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, end - at), at);
    if (read === 0) throw changed(path);
    yield { bytes: buffer.subarray(0, read), offset: at };
    at += read;
  }
}

function openContent(place: Place): number {
  try {
    return openFile(place);
  } catch (error) {
    throw errnoOf(error) === "ENOENT" ? changed(place.path) : error;
  }
}

/** A fifo in the place of the file would not be waited for. */
function openFile({ at, name }: Place): number {
  return openBeneath(at, name, { flags: constants.O_RDONLY | constants.O_NONBLOCK });
}

function changed(path: ByteString): HpsError {
  return new HpsError("aborted", `${showName(path)} was changed while it was read`, {
    hint: "stop what writes there, or work on a copy",
  });
}
