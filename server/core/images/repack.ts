/** Makes new packs of what is still needed of old ones. Waits for the disk: for threads that do nothing else meanwhile. */
import { closeSync, openSync } from "node:fs";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import type { PackFrame } from "../../../proto/image/pack.ts";
import { FrameBuilder, openFrame, type RawFrame } from "../../../proto/image/pack-frame.ts";
import { compressedSync } from "../../../proto/image/zstd-frame-content.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import { readAt, readPackIndex } from "./pack-frames.ts";
import { PackSeries } from "./pack-series.ts";
import type { WrittenPack } from "./pack-writer.ts";

/** A pack, and which of its objects are needed: 1 for each, in the order of its index. */
export interface OldPack {
  readonly file: StoredFile;
  readonly live: Uint8Array;
}

export interface Repacked {
  readonly made: readonly WrittenPack[];
  /** For each old pack, in which of the new ones its needed objects are; undefined: it is damaged, and they are not. */
  readonly moved: readonly (readonly number[] | undefined)[];
}

/** A frame of which less is needed is made anew of what is. */
const FULL_ENOUGH = 0.5;
/** As hpsctl compresses. */
const LEVEL = 9;

/**
 * Every object is checked by its digest before it is written again. What lay side by side stays so: frames keep their order,
 * and those that are made anew hold objects of one pack alone.
 */
export function repack(packs: readonly OldPack[], path: string): Repacked {
  const series = new PackSeries(path, "what is still needed of old packs");
  try {
    const moved = packs.map((pack) => {
      const into = new Set<number>();
      try {
        moveLive(pack, (bytes, objects) => into.add(series.append(bytes, objects)));
        return [...into];
      } catch (error) {
        if (error instanceof HpsError && (error.code === "invalid" || error.code === "data-loss")) return undefined;
        throw error;
      }
    });
    return { made: series.finish(), moved };
  } catch (error) {
    series.close();
    throw error;
  }
}

type Append = (bytes: Uint8Array, objects: readonly ImageObject[]) => void;

function moveLive({ file, live }: OldPack, append: Append): void {
  const { frames } = readPackIndex(file);
  const opened = openSync(file.path, "r");
  const builder = new FrameBuilder();
  const remake = (frame: RawFrame | undefined) => {
    if (frame !== undefined) append(compressedSync(frame.raw, LEVEL), frame.objects);
  };
  try {
    let first = 0;
    for (const frame of frames) {
      const needed = live.subarray(first, first + frame.objects.length);
      first += frame.objects.length;
      if (!needed.includes(1)) continue;
      const bytes = readAt(opened, frame.offset, frame.compressedBytes);
      const contents = openFrame(bytes, frame);
      if (isFull(frame, needed)) {
        append(bytes, frame.objects);
        continue;
      }
      for (const [at, object] of frame.objects.entries()) {
        const content = contents[at];
        if (needed[at] === 1 && content !== undefined) remake(builder.add(object, content));
      }
    }
    remake(builder.end());
  } finally {
    closeSync(opened);
  }
}

function isFull({ objects, rawBytes }: PackFrame, needed: Uint8Array): boolean {
  const bytes = objects.reduce((sum, { length }, at) => sum + (needed[at] === 1 ? length : 0), 0);
  return bytes >= rawBytes * FULL_ENOUGH;
}
