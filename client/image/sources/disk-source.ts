import { statSync } from "node:fs";
import type { Environment } from "../../../proto/config/overrides.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { diskFormat } from "../../build/disk/disk-format.ts";
import { diskTree } from "../../build/disk/read-disk.ts";
import type { ImageSource } from "./source.ts";
import { readTar } from "./tar-source.ts";

/** How a disk is read. */
export interface DiskChoice {
  /** Folder of an installer set. */
  readonly installer?: string;
  /** The one that holds the system, where several do. */
  readonly partition?: number;
}

export interface DiskWish extends DiskChoice {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Hears what of the disk's system is not in the image. */
  readonly say: (line: string) => void;
}

/** The tree of the system on a disk, read in a machine of its own. */
export function diskSource(path: string, { installer, partition, environment, signal, say }: DiskWish): ImageSource {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new HpsError("not-found", `there is no ${path}`, { hint: "is it there, and may you see it?" });
  }
  diskFormat(path);
  if (installer === undefined) {
    throw new HpsError("invalid", "a disk is read in a machine of its own, which an installer set starts", {
      hint: "hpsctl installer-image build --out installer, then add --installer installer",
    });
  }
  const order = { disk: path, installer, environment, signal, say, ...(partition !== undefined && { partition }) };
  return {
    ...{ sizeBytes: 0, roomBytes: 0 },
    read: (builder, progress) => readTar(diskTree(order), builder, progress),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
