import type { ByteString } from "../tree/byte-string.ts";
import type { Segment } from "../tree/native/files.ts";
import type { EntryType, Xattr } from "../tree/tar/entry.ts";

/** A piece of some file's content, 1 byte to 4 MiB, named by its SHA-256. */
export interface ImageObject {
  /** 32 bytes; of a parsed manifest, a part of its memory. */
  readonly digest: Buffer;
  readonly length: number;
}

/** One name in the tree. What its type does not have is 0, empty or undefined. */
export interface ManifestEntry {
  /** From the root, without a slash at either end; "" is the root itself. */
  readonly path: ByteString;
  readonly type: EntryType;
  /** The twelve permission bits; a symlink's are 0777 always. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Ordered by name. Access control lists and capabilities are here too, as the kernel keeps them. */
  readonly xattrs: readonly Xattr[];
  /** Of a file, holes counted. */
  readonly size: number;
  /** Where a sparse file holds data; undefined for a dense one. */
  readonly segments?: readonly Segment[] | undefined;
  /** The file's data, segments one after the other, cut each 4 MiB: numbers into the manifest's objects. */
  readonly objects: readonly number[];
  /** Where a symlink points. */
  readonly link: ByteString;
  /** The entry that a hard link is another name of; whatever else a hard link could say stands there. */
  readonly target: number;
  readonly major: number;
  readonly minor: number;
}
