import { latin1 } from "../../proto/tree/byte-string.ts";
import type { IndexedEntry } from "../../proto/tree/scan/tree-index.ts";
import type { TarEntry } from "../../proto/tree/tar/entry.ts";
import type { CutContent } from "./file-content.ts";

/** Something in a tree, under one name or several. */
export interface ImageInode
  extends IndexedEntry,
    Pick<TarEntry, "uid" | "gid" | "mtime" | "major" | "minor" | "xattrs" | "acls"> {
  /** Of a file, when it has come. */
  content: CutContent | undefined;
  /** It was given further names, though they may be gone again. */
  isLinked: boolean;
}

/** The same time everywhere: what nobody said anything about must not differ from one import to the next. */
export const MADE_FOLDER: ImageInode = {
  ...{ type: "directory", link: latin1(""), mode: 0o755, size: 0, uid: 0, gid: 0, mtime: 0n, major: 0, minor: 0 },
  ...{ xattrs: [], acls: {}, content: undefined, isLinked: false },
};

export function inodeOf(entry: TarEntry, type: ImageInode["type"]): ImageInode {
  const { uid, gid, mtime, size, link, major, minor, xattrs, acls } = entry;
  // A link's own bits mean nothing, and archives differ in what they say of them.
  const mode = type === "symlink" ? 0o777 : entry.mode;
  return { type, mode, uid, gid, mtime, size, link, major, minor, xattrs, acls, content: undefined, isLinked: false };
}
