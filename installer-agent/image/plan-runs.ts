import type { Manifest } from "../../proto/image/manifest.ts";
import type { PackFrame, PackIndex } from "../../proto/image/pack.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** A frame that is needed. Digests are kept as one piece of memory: an index has too many to keep them all as objects. */
export interface PlannedFrame {
  readonly offset: number;
  readonly compressedBytes: number;
  readonly rawBytes: number;
  /** 32 bytes an object. */
  readonly digests: Uint8Array;
  readonly lengths: readonly number[];
  /** The image's number of each object that is wanted from here; -1 for the others. */
  readonly objects: Int32Array;
}

/** A range of a pack's bytes that is asked for at once: frames in their order, and between them little that is not needed. */
export interface Run {
  /** Number of the pack. */
  readonly pack: number;
  readonly from: number;
  readonly to: number;
  readonly frames: readonly PlannedFrame[];
}

/** What is read and thrown away rather than asked for anew. */
const LARGEST_GAP = 64 * 1024;
/** The longest range: a connection that breaks is nothing to begin a gigabyte anew for, and several can be read at a time. */
const LONGEST_RUN = 64 * 1024 * 1024;
const DIGEST = 32;

/** Looks packs through in their order; each wanted object is taken from the first that has it. */
export class RunPlanner {
  /** Wanted and not found yet: digest to number. */
  readonly #wanted: Map<string, number>;
  readonly #runs: Run[] = [];
  #packs = 0;

  constructor({ objects }: Pick<Manifest, "objects">, wanted: Iterable<number>) {
    this.#wanted = new Map();
    for (const number of wanted) {
      const digest = objects[number]?.digest.toString("latin1");
      if (digest !== undefined) this.#wanted.set(digest, number);
    }
  }

  /** Whether nothing is left to look for. */
  get isComplete(): boolean {
    return this.#wanted.size === 0;
  }

  /** The next pack. */
  add({ frames }: PackIndex): void {
    const needed = frames.flatMap((frame) => this.#planned(frame) ?? []);
    this.#runs.push(...runsOf(needed, this.#packs));
    this.#packs += 1;
  }

  /** All that has to be fetched. `data-loss` when there are objects that no pack has. */
  runs(): readonly Run[] {
    const [missing] = this.#wanted.keys();
    if (missing === undefined) return this.#runs;
    const digest = Buffer.from(missing, "latin1").toString("hex");
    const what = `${this.#wanted.size} of its objects are in none of the ${this.#packs} packs that hpsd names, the first is`;
    throw new HpsError("data-loss", `the image is not complete: ${what} ${digest}`, {
      hint: "import it again, then hpsctl installation retry HOST",
    });
  }

  #planned(frame: PackFrame): PlannedFrame | undefined {
    const objects = Int32Array.from(frame.objects, ({ digest }) => this.#take(digest.toString("latin1")));
    if (objects.every((number) => number === -1)) return undefined;
    const digests = new Uint8Array(frame.objects.length * DIGEST);
    for (const [index, { digest }] of frame.objects.entries()) digests.set(digest, index * DIGEST);
    const { offset, compressedBytes, rawBytes } = frame;
    return { offset, compressedBytes, rawBytes, digests, lengths: frame.objects.map(({ length }) => length), objects };
  }

  #take(digest: string): number {
    const number = this.#wanted.get(digest) ?? -1;
    this.#wanted.delete(digest);
    return number;
  }
}

function runsOf(frames: readonly PlannedFrame[], pack: number): Run[] {
  const runs: { pack: number; from: number; to: number; frames: PlannedFrame[] }[] = [];
  for (const frame of frames) {
    const end = frame.offset + frame.compressedBytes;
    const last = runs.at(-1);
    if (last !== undefined && frame.offset - last.to <= LARGEST_GAP && end - last.from <= LONGEST_RUN) {
      last.frames.push(frame);
      last.to = end;
    } else runs.push({ pack, from: frame.offset, to: end, frames: [frame] });
  }
  return runs;
}
