import { setImmediate } from "node:timers/promises";
import { latin1 } from "../../../proto/tree/byte-string.ts";
import type { TarEntry, TarHandler } from "../../../proto/tree/tar/entry.ts";
import { type TreeNode, walkTree } from "../../../proto/tree/walk/walk-tree.ts";
import type { ImageSource, SourceProgress } from "./source.ts";

/** Work of this thread between two looks at everything else. */
const TURN_BYTES = 4 << 20;
const TURN_ENTRIES = 500;

/** The tree in the folder `root`. */
export function folderSource(root: string): ImageSource {
  return {
    ...{ sizeBytes: 0, roomBytes: 0 },
    read: (builder, progress) => readFolder(root, builder, progress),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Tells `handler` all of the tree in the folder `root`, file systems mounted below it too. */
export async function readFolder(root: string, handler: TarHandler, progress: SourceProgress): Promise<void> {
  const first = new Map<string, TarEntry["path"]>();
  let entries = 0;
  let bytes = 0;
  for (const node of walkTree(root)) {
    const known = node.inode === undefined ? undefined : first.get(node.inode);
    if (known === undefined && node.inode !== undefined) first.set(node.inode, node.path);
    bytes += tell(handler, node, known, progress);
    entries += 1;
    if (bytes < TURN_BYTES && entries < TURN_ENTRIES) continue;
    entries = 0;
    bytes = 0;
    await setImmediate();
    progress.signal.throwIfAborted();
  }
}

/** Gives how many bytes of content went by. */
function tell(
  handler: TarHandler,
  node: TreeNode,
  linkTo: TarEntry["path"] | undefined,
  { onBytes }: SourceProgress,
): number {
  handler.entry(linkTo === undefined ? entryOf(node) : { ...entryOf(node), type: "hardlink", link: linkTo });
  let bytes = 0;
  if (linkTo === undefined) {
    for (const piece of node.content()) {
      handler.data(piece.bytes, piece.offset);
      bytes += piece.bytes.length;
      onBytes(piece.bytes.length);
    }
  }
  handler.done();
  return bytes;
}

function entryOf(node: TreeNode): TarEntry {
  const { type, path, mode, uid, gid, mtime, size, link, major, minor, xattrs, segments } = node;
  const place = path === "" ? DOT : path;
  const holds = type === "file" ? { segments } : {};
  return { type, path: place, mode, uid, gid, mtime, size, link, major, minor, xattrs, acls: {}, at: 0, ...holds };
}

const DOT = latin1(".");
