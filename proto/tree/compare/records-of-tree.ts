import type { ByteString } from "../byte-string.ts";
import { type TreeNode, type WalkOptions, walkTree } from "../walk/walk-tree.ts";
import { ContentHash } from "./content-hash.ts";
import type { TreeRecord, TreeRecords } from "./record.ts";

/** Reads a whole tree from its folder, content and all; blocks the thread. */
export function recordsOfTree(root: string, options: WalkOptions = {}): TreeRecords {
  const records = new Map<ByteString, TreeRecord>();
  const names = new Map<string, ByteString[]>();
  for (const node of walkTree(root, options)) {
    const shared = node.inode === undefined ? [] : (names.get(node.inode) ?? []);
    if (node.inode !== undefined) {
      names.set(node.inode, shared);
      shared.push(node.path);
    }
    records.set(node.path, recordOf(node, shared, records));
  }
  for (const list of names.values()) {
    list.sort();
    // Its other names lie outside the tree.
    if (list.length === 1) list.length = 0;
  }
  return records;
}

/** `names` may still grow. */
function recordOf(node: TreeNode, names: readonly ByteString[], records: TreeRecords): TreeRecord {
  const { path, type, uid, gid, mtime, size, link, major, minor, xattrs } = node;
  const mode = type === "symlink" ? 0o777 : node.mode;
  const [first] = names;
  const known = first === undefined || first === path ? undefined : records.get(first);
  const digest = known?.digest ?? digestOf(node);
  return { path, type, mode, uid, gid, mtime, size, digest, link, major, minor, xattrs, names };
}

function digestOf(node: TreeNode): string {
  if (node.type !== "file") return "";
  const hash = new ContentHash();
  for (const { bytes, offset } of node.content()) hash.add(bytes, offset);
  return hash.digest(node.size);
}
