import { setImmediate } from "node:timers/promises";
import { type ByteString, latin1 } from "../byte-string.ts";
import type { Segment } from "../native/files.ts";
import { END_MARK, encodeEntry, type NewEntry, paddingOf, storedBytes } from "../tar/encode.ts";
import { type TreeNode, type WalkOptions, walkTree } from "./walk-tree.ts";

/** Small pieces are sent together. */
const PIECE = 256 * 1024;

/**
 * A tree as a pax archive that `unpackTar` makes the same tree of, and GNU tar and bsdtar can read: the same tree gives the
 * same bytes. Lets other work of the thread go on between pieces; a file that changes meanwhile ends it with `aborted`.
 */
export async function* tarOfTree(root: string, options: WalkOptions = {}): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let size = 0;
  for (const bytes of archiveOf(root, options)) {
    gathered.push(bytes);
    size += bytes.length;
    if (size < PIECE) continue;
    yield Buffer.concat(gathered);
    await setImmediate();
    gathered = [];
    size = 0;
  }
  yield Buffer.concat(gathered);
}

/** Each buffer is the receiver's. */
function* archiveOf(root: string, options: WalkOptions): Generator<Buffer> {
  const first = new Map<string, ByteString>();
  for (const node of walkTree(root, options)) {
    const known = node.inode === undefined ? undefined : first.get(node.inode);
    if (known !== undefined) {
      yield encodeEntry({ ...entryOf(node), type: "hardlink", link: known, xattrs: [], size: 0 });
      continue;
    }
    if (node.inode !== undefined) first.set(node.inode, node.path);
    yield* memberOf(node);
  }
  yield END_MARK;
}

function* memberOf(node: TreeNode): Generator<Buffer> {
  const whole = entryOf(node);
  const entry = hasHoles(node) ? { ...whole, segments: node.segments } : whole;
  yield encodeEntry(entry);
  for (const { bytes } of node.content()) yield Buffer.from(bytes);
  yield paddingOf(storedBytes(entry));
}

function entryOf(node: TreeNode): NewEntry {
  const { type, path, mode, uid, gid, mtime, size, link, major, minor, xattrs } = node;
  const name = type === "directory" ? latin1(`${path === "" ? "." : path}/`) : path;
  return { type, path: name, mode, uid, gid, mtime, size, link, major, minor, xattrs };
}

function hasHoles({ size, segments }: TreeNode): boolean {
  return segments.reduce((sum: number, segment: Segment) => sum + segment.size, 0) < size;
}
