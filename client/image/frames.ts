/** Objects on their way into a pack: gathered in frames and compressed, a few at a time, in their order. */
import { availableParallelism } from "node:os";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { compressFrame, FrameBuilder, type RawFrame } from "../../proto/image/pack-frame.ts";

/** Objects that hpsd asks for, in its order. */
export interface WantedGroup {
  readonly objects: readonly ImageObject[];
  /** hpsd has them and stores them once more. */
  readonly again: boolean;
}

export interface CompressedFrame {
  /** How many of the wanted objects it holds. */
  readonly objects: number;
  readonly rawBytes: number;
  readonly bytes: Buffer;
}

/** A Debian root of 635 MB becomes 171 MB in 10.5 s of a processor; level 6 takes 6.8 s for 175 MB, level 12 takes 23.7 s for 170 MB. */
const LEVEL = 9;

/** zlib's threads are four, and what they hold is bounded by this. */
const MOST_AHEAD = 4;

/** Frames in the order of the objects; new ones and those that are stored again share none. */
export async function* compressedFrames(
  groups: readonly WantedGroup[],
  read: (object: ImageObject) => Buffer,
): AsyncGenerator<CompressedFrame, void> {
  const ahead = Math.min(MOST_AHEAD, availableParallelism() + 1);
  const running: Promise<CompressedFrame>[] = [];
  for (const frame of rawFrames(groups, read)) {
    const compressing = compress(frame);
    // Heard when its turn comes; a reader that leaves before hears nothing.
    compressing.catch(() => undefined);
    running.push(compressing);
    if (running.length < ahead) continue;
    const first = running.shift();
    if (first !== undefined) yield await first;
  }
  for (const frame of running) yield await frame;
}

async function compress({ objects, raw }: RawFrame): Promise<CompressedFrame> {
  return { objects: objects.length, rawBytes: raw.length, bytes: await compressFrame(raw, LEVEL) };
}

function* rawFrames(groups: readonly WantedGroup[], read: (object: ImageObject) => Buffer): Generator<RawFrame> {
  const builder = new FrameBuilder();
  let again = false;
  for (const group of groups) {
    if (group.again !== again) yield* [builder.end()].filter((frame) => frame !== undefined);
    again = group.again;
    for (const object of group.objects) {
      const full = builder.add(object, read(object));
      if (full !== undefined) yield full;
    }
  }
  const last = builder.end();
  if (last !== undefined) yield last;
}
