import type { MirrorUrl } from "../../proto/values/mirror-url.ts";
import type { FileRef } from "../link/file-request.ts";
import type { AnnouncedTree } from "./manifest-bounds.ts";

/** A file with an index at its end. */
export interface IndexedFile extends FileRef {
  readonly indexOffset: number;
  readonly indexBytes: number;
}

/** What makes objects of an image out of files of another. */
interface DeltaFile extends IndexedFile {
  /** Digest of the other image. */
  readonly base: string;
}

/** Where an image is. */
export interface ImageFiles {
  /** What the manifest must have. */
  readonly tree: AnnouncedTree;
  /** Its digest is that of the uncompressed manifest, its length that of the file. */
  readonly manifest: FileRef;
  /** An object that is in several is read from the first. */
  readonly packs: readonly IndexedFile[];
  readonly deltas: readonly DeltaFile[];
  readonly baseUrls: readonly MirrorUrl[];
}
