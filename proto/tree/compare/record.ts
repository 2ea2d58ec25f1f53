import type { ByteString } from "../byte-string.ts";
import type { EntryType, Xattr } from "../tar/entry.ts";

/** One name in a tree with all that an installation must bring back exactly. */
export interface TreeRecord {
  readonly path: ByteString;
  readonly type: Exclude<EntryType, "hardlink">;
  /** 0o777 for links: theirs means nothing. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly size: number;
  /** SHA-256 of a file's content with its holes as zeros, lower-case hex; empty for what is no file. */
  readonly digest: string;
  readonly link: ByteString;
  readonly major: number;
  readonly minor: number;
  /** Sorted by name; access control lists and capabilities among them. */
  readonly xattrs: readonly Xattr[];
  /** All names of its inode, sorted. */
  readonly names: readonly ByteString[];
}

export type TreeRecords = ReadonlyMap<ByteString, TreeRecord>;
