import type { ByteString } from "../byte-string.ts";
import type { Segment } from "../native/files.ts";

export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface Xattr {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

/** Access control lists as archives hold them: text, by name or by number. */
export interface AclTexts {
  readonly access?: ByteString;
  readonly default?: ByteString;
}

/** One member of an archive, as it says about itself: nothing here is checked but that the kernel could take it. */
export interface TarEntry {
  readonly type: EntryType;
  /** As written: may be absolute, hold ".." or end in "/". Neither empty nor with a zero byte. */
  readonly path: ByteString;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Of the file when it lies unpacked, holes counted; 0 for what holds no content. */
  readonly size: number;
  /** Where a symlink points, or the path of the entry a hard link is another name of. */
  readonly link: ByteString;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly Xattr[];
  readonly acls: AclTexts;
  /** Where a sparse file holds data, in order; undefined for a file without holes. */
  readonly segments?: readonly Segment[];
  /** Where its header begins in the archive, in bytes. */
  readonly at: number;
}

/** Is told what an archive holds, in its order. What it throws ends the reading. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content and its place there. The bytes are the reader's: copy what is kept. */
  data(bytes: Uint8Array, offset: number): void;
  /** The last entry is complete. Called for each entry. */
  done(): void;
}
