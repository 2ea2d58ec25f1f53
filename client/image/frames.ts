/** Objects on their way into a pack: gathered in frames and compressed, a few at a time, in their order. */
import { availableParallelism } from "node:os";
import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
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
  read: (object: ImageObject, into: Buffer) => Buffer,
): AsyncGenerator<CompressedFrame, void> {
  const ahead = Math.min(MOST_AHEAD, availableParallelism() + 1);
  const running: Promise<CompressedFrame>[] = [];
  const memory = new FrameMemory();
  for (const frame of rawFrames(groups, memory, read)) {
    const compressing = compress(frame, memory);
    // Heard when its turn comes; a reader that leaves before hears nothing.
    compressing.catch(() => undefined);
    running.push(compressing);
    if (running.length < ahead) continue;
    const first = running.shift();
    if (first !== undefined) yield await first;
  }
  for (const frame of running) yield await frame;
}

/** Frames are made in the memory of those that are compressed: new memory for each would have V8 collect all the time. */
class FrameMemory {
  readonly #free: Buffer[] = [];

  readonly take = (): Buffer => this.#free.pop() ?? Buffer.allocUnsafeSlow(LARGEST_OBJECT);

  give({ raw }: RawFrame): void {
    this.#free.push(Buffer.from(raw.buffer));
  }
}

async function compress(frame: RawFrame, memory: FrameMemory): Promise<CompressedFrame> {
  const bytes = await compressFrame(frame.raw, LEVEL);
  memory.give(frame);
  return { objects: frame.objects.length, rawBytes: frame.raw.length, bytes };
}

function* rawFrames(
  groups: readonly WantedGroup[],
  { take }: FrameMemory,
  read: (object: ImageObject, into: Buffer) => Buffer,
): Generator<RawFrame> {
  const builder = new FrameBuilder(take);
  const content = Buffer.allocUnsafeSlow(LARGEST_OBJECT);
  let again = false;
  for (const group of groups) {
    if (group.again !== again) yield* [builder.end()].filter((frame) => frame !== undefined);
    again = group.again;
    for (const wanted of group.objects) {
      const full = builder.add(wanted, read(wanted, content));
      if (full !== undefined) yield full;
    }
  }
  const last = builder.end();
  if (last !== undefined) yield last;
}
