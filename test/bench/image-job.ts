/** What the process that unpacks is told, and what it answers. */
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import type { OldRoot } from "../../installer-agent/image/old-files.ts";
import type { Unpacked } from "../../installer-agent/image/unpack-image.ts";

export interface AgentJob {
  readonly grpc: string;
  readonly https: string;
  /** PEM. */
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
  readonly files: ImageFiles;
  readonly root: string;
  readonly olds: readonly OldRoot[];
}

export interface AgentDone extends Unpacked {
  readonly peakBytes: number;
  /** Seconds, of all its threads. */
  readonly processor: number;
}
