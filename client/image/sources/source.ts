import type { BuilderOptions, ImageBuilder } from "../image-builder.ts";

/** How a source of an image tells how far it is, and learns that nobody wants the rest. */
export interface SourceProgress {
  readonly signal: AbortSignal;
  /** Bytes of the source went by. */
  readonly onBytes: (count: number) => void;
}

/** Anything that a file tree can be read from. */
export interface ImageSource extends AsyncDisposable {
  /** What goes by when it is read; 0 when that is not known. */
  readonly sizeBytes: number;
  /** Least room that its content needs. */
  readonly roomBytes: number;
  readonly builder?: BuilderOptions;
  /** Tells `builder` all of the tree. */
  readonly read: (builder: ImageBuilder, progress: SourceProgress) => Promise<void>;
}
