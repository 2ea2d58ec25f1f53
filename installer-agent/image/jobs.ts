/** What worker threads are told to do and what they answer, as it goes from thread to thread. */
import type { SentError } from "../../proto/flow/sent-error.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { Segment } from "../../proto/tree/native/files.ts";

/** What is set of a file when its content is there. */
export type FileHead = Pick<ManifestEntry, "path" | "mode" | "uid" | "gid" | "mtime" | "xattrs" | "size">;

/** One place that an object's bytes go to. */
export interface FilePart {
  readonly file: FileHead;
  /** The number of the piece, for the answer. */
  readonly piece: number;
  /** Undefined: the file is this object from end to end, and is made, filled and finished at once. */
  readonly extents: readonly Segment[] | undefined;
}

/** A compressed frame, and where its objects go. */
export interface FrameJob {
  readonly kind: "frame";
  /** In its pack, for messages. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly rawBytes: number;
  /** 32 bytes an object. */
  readonly digests: Uint8Array;
  readonly lengths: readonly number[];
  /** For each object of the frame; none for what nobody needs. */
  readonly parts: readonly (readonly FilePart[])[];
}

/** What has no content: empty files, links, devices, folders. */
export interface MakeJob {
  readonly kind: "make";
  readonly entries: readonly (FileHead & Pick<ManifestEntry, "type" | "link" | "major" | "minor">)[];
}

/** Files whose pieces are all there: their size and what else is said of them. */
interface FinishJob {
  readonly kind: "finish";
  readonly files: readonly FileHead[];
}

/** Second names. */
interface LinkJob {
  readonly kind: "link";
  readonly links: readonly { readonly path: ByteString; readonly target: ByteString }[];
}

/** Folders into which nothing is written any more. */
interface FolderJob {
  readonly kind: "folder";
  readonly folders: readonly FileHead[];
}

/** A file that is there from before: which of its pieces are right already? One that cannot be mended piece by piece is removed. */
interface KeepJob {
  readonly kind: "keep";
  readonly files: readonly KeptFile[];
}

export interface KeptFile {
  readonly file: FileHead;
  /** It is one object, and finished when that is right. */
  readonly atOnce: boolean;
  readonly pieces: readonly KnownPiece[];
}

/** What should be where in a file. */
interface KnownPiece {
  /** The number of the piece, for the answer. */
  readonly piece: number;
  readonly digest: Uint8Array;
  readonly extents: readonly Segment[];
}

/** Files of an older system that may hold what is needed. */
export interface ReuseJob {
  readonly kind: "reuse";
  readonly olds: readonly OldFile[];
  /** Of all of them, and of the new files. */
  readonly size: number;
  /** The pieces of such a file, and what is looked for in each. */
  readonly pieces: readonly {
    readonly extents: readonly Segment[];
    readonly wanted: readonly WantedObject[];
  }[];
}

export interface WantedObject {
  readonly digest: Uint8Array;
  readonly parts: readonly FilePart[];
}

/** A file below one of the folders that old systems are mounted at. */
export interface OldFile {
  readonly root: string;
  readonly path: ByteString;
}

/** An object that is made out of old files. */
export interface DeltaJob {
  readonly kind: "delta";
  /** In the delta, for messages. */
  readonly offset: number;
  /** The compressed pieces, one after the other. */
  readonly bytes: Uint8Array;
  readonly digest: Uint8Array;
  readonly length: number;
  readonly pieces: readonly {
    readonly length: number;
    readonly compressedBytes: number;
    readonly window: (OldFile & { readonly offset: number; readonly length: number }) | undefined;
  }[];
  readonly parts: readonly FilePart[];
}

export type Job = FrameJob | MakeJob | FinishJob | LinkJob | FolderJob | KeepJob | ReuseJob | DeltaJob;

/** How a job ended: pieces that are good now, or why not. */
export type Answer =
  | { readonly good: readonly number[] }
  /** Nothing was written: the bytes that were brought are not those that were meant. */
  | { readonly damaged: SentError }
  | { readonly failed: SentError };

/** What a thread sends: how its next job ended, and the memory that came with it. */
export interface Message {
  readonly answer: Answer;
  readonly room: ArrayBuffer | undefined;
}

/** Small enough to be copied: values of a parsed manifest are parts of all of its memory, which would go along. */
export function headOf({ path, mode, uid, gid, mtime, xattrs, size }: FileHead): FileHead {
  const own = xattrs.map(({ name, value }) => ({ name, value: new Uint8Array(value) }));
  return { path, mode, uid, gid, mtime, size, xattrs: own };
}
