/** What worker threads are told to do and what they answer, as it goes from thread to thread. */
import type { SentError } from "../../proto/flow/sent-error.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import type { SharedPlaces } from "./places.ts";

/** What is set of a file when its content is there. */
export type FileHead = Pick<ManifestEntry, "path" | "mode" | "uid" | "gid" | "mtime" | "xattrs" | "size">;

/** One place that an object's bytes go to. */
export interface FilePart {
  readonly file: FileHead;
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
  readonly lengths: Uint32Array;
  /** The pieces that its objects go to, one object's after the other's, and where those of each end. */
  readonly pieces: Uint32Array;
  readonly ends: Uint32Array;
}

/** What is done with entries, by their numbers. */
interface EntriesJob {
  readonly kind:
    | "make" // what has no content: empty files, links, devices, folders
    | "finish" // files whose pieces are all there: their size and what else is said of them
    | "link" // second names
    | "folder" // folders into which nothing is written any more, each before the one it lies in
    | "keep"; // files that are there from before: which of their pieces are right already? One that cannot be mended piece by piece is removed
  readonly entries: readonly number[];
}

/** What of an entry is needed to make it. */
export type MadeEntry = FileHead & Pick<ManifestEntry, "type" | "link" | "major" | "minor">;

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
  /** Where it goes. */
  readonly places: readonly number[];
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
  /** The pieces that it goes to. */
  readonly places: readonly number[];
}

export type Job = FrameJob | EntriesJob | ReuseJob | DeltaJob;

/** What a thread has to know before its first job. */
export interface ImageMessage {
  readonly kind: "image";
  readonly image: SharedPlaces;
}

/** How a job ended: pieces that are good now, or why not. */
export type Answer =
  | { readonly good: ArrayLike<number> & Iterable<number> }
  /** Nothing was written: the bytes that were brought are not those that were meant. */
  | { readonly damaged: SentError }
  | { readonly failed: SentError };

/** What a thread sends: how its next job ended, and the memory that came with it. */
export interface Message {
  readonly answer: Answer;
  readonly room: ArrayBuffer | undefined;
}
