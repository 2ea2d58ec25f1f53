import { statSync } from "node:fs";
import type { Environment } from "../../../proto/config/overrides.ts";
import { type DiskChoice, diskSource } from "./disk-source.ts";
import { folderSource } from "./folder-source.ts";
import { archiveStore, folderStore } from "./oci/blob-store.ts";
import type { ImageChoice } from "./oci/choose-manifest.ts";
import { ociSource } from "./oci/oci-source.ts";
import type { ImageSource } from "./source.ts";
import { guessKind, type SourceKind } from "./source-kind.ts";
import { tarSource } from "./tar-source.ts";

export interface SourceOrder {
  readonly path: string;
  /** What it is; otherwise that is guessed from what is there. */
  readonly kind?: SourceKind;
  readonly choice: ImageChoice;
  readonly disk: DiskChoice;
  /** Hears what is not in the image. */
  readonly say: (line: string) => void;
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

/** What lies at a path, ready to be read. */
export async function openImageSource(order: SourceOrder): Promise<ImageSource> {
  const { path, choice, environment, signal } = order;
  switch (order.kind ?? (await guessKind(path))) {
    case "dir":
      return folderSource(path);
    case "oci": {
      const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
      return await ociSource(isFolder ? folderStore(path) : await archiveStore(path, environment, signal), choice);
    }
    case "disk":
      return diskSource(path, { ...order.disk, environment, signal, say: order.say });
    case "tar":
      return tarSource(path);
  }
}
