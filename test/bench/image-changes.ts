/** What is otherwise in one tree than in another, and trees between the two. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { type ByteString, bytesOf } from "../../proto/tree/byte-string.ts";
import { type TreeNode, walkTree } from "../../proto/tree/walk/walk-tree.ts";

export interface Changes {
  /** New, or of other content or kind; folders only where they are new. In the order of the tree. */
  readonly changed: readonly ByteString[];
  /** Whatever is no more. */
  readonly removed: readonly ByteString[];
}

/** What stands for the content of each path of a tree. */
export type Contents = ReadonlyMap<ByteString, string>;

export function changesBetween(old: string, next: string): Changes {
  return difference(contents(old), contents(next));
}

export function difference(before: Contents, after: Contents): Changes {
  return {
    changed: [...after].flatMap(([path, content]) => (before.get(path) === content ? [] : [path])),
    removed: [...before.keys()].filter((path) => !after.has(path)),
  };
}

export function contents(root: string): Contents {
  const found = new Map<ByteString, string>();
  for (const node of walkTree(root)) found.set(node.path, contentOf(node));
  return found;
}

function contentOf(node: TreeNode): string {
  const { type, mode, uid, gid, link, size } = node;
  if (type === "directory") return type;
  const hash = createHash("sha256");
  // A hole is what it reads as: whoever makes holes of zeros changes nothing.
  let at = 0;
  for (const { bytes, offset } of node.content()) {
    hash.update(Buffer.alloc(offset - at)).update(bytes);
    at = offset + bytes.length;
  }
  hash.update(Buffer.alloc(size - Math.min(at, size)));
  return [type, mode, uid, gid, link, size, hash.digest("hex")].join(" ");
}

/** Puts a share of the changes into the tree `at`, a copy of the old one: that `number` of so many shares, each path's own by its name. */
export function applyShare(at: string, next: string, changes: Changes, share: { number: number; of: number }): void {
  const own = (path: ByteString) => createHash("sha256").update(bytesOf(path)).digest().readUInt32BE() % share.of;
  const isNow = (path: ByteString) => own(path) === share.number;
  const list = Buffer.concat(changes.changed.filter(isNow).flatMap((path) => [bytesOf(path), Buffer.of(0)]));
  const tar = "tar --numeric-owner --xattrs --xattrs-include='*' --acls";
  const take = `${tar} -C "$1" -cf - --no-recursion --null -T - | ${tar} -C "$2" -xf -`;
  execFileSync("bash", ["-ec", `set -o pipefail; ${take}`, "share", next, at], { input: list });
  for (const path of changes.removed.filter(isNow)) {
    rmSync(Buffer.concat([Buffer.from(`${at}/`), bytesOf(path)]), { recursive: true, force: true });
  }
}
