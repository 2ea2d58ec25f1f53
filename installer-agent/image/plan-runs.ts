import type { FindableManifest } from "../../proto/image/manifest-view.ts";
import type { ListedFrame } from "../../proto/image/pack.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** A frame that is needed. */
export interface PlannedFrame extends ListedFrame {
  /** The image's number of each object that is wanted from here; -1 for the others. */
  readonly objects: Int32Array;
}

/** A part of a file that is wanted. */
export interface Wanted {
  readonly offset: number;
  readonly compressedBytes: number;
}

/** A range of a file's bytes that is asked for at once: parts in their order, and between them little that is not needed. */
export interface Run<Part extends Wanted = PlannedFrame> {
  /** Number of the file. */
  readonly file: number;
  readonly from: number;
  readonly to: number;
  readonly parts: readonly Part[];
}

/** What is read and thrown away rather than asked for anew. */
const LARGEST_GAP = 64 * 1024;
/** The longest range: a connection that breaks is nothing to begin a gigabyte anew for, and several can be read at a time. */
const LONGEST_RUN = 64 * 1024 * 1024;
const DIGEST = 32;

/** Looks packs through in their order; each wanted object is taken from the first that has it. */
export class RunPlanner {
  readonly #manifest: Findable;
  /** Those that are wanted and not found yet are 1. */
  readonly #wanted: Uint8Array;
  #left = 0;
  /** Of each pack. */
  readonly #frames: PlannedFrame[][] = [];

  constructor(manifest: Findable, wanted: Iterable<number>) {
    this.#manifest = manifest;
    this.#wanted = new Uint8Array(manifest.objectCount);
    for (const number of wanted) {
      this.#wanted[number] = 1;
      this.#left += 1;
    }
  }

  /** Whether nothing is left to look for. */
  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** The next pack. */
  add(frames: readonly ListedFrame[]): void {
    this.#frames.push(frames.flatMap((frame) => this.#planned(frame) ?? []));
  }

  /** The frames of all packs. */
  frames(): readonly PlannedFrame[] {
    return this.#frames.flat();
  }

  /** What has to be fetched for the objects that are lacking yet. `data-loss` when no pack has one. */
  runs(isLacking: (object: number) => boolean): readonly Run[] {
    const nowhere = [...this.#wanted.keys()].filter((number) => this.#wanted[number] === 1 && isLacking(number));
    const [missing] = nowhere;
    if (missing === undefined) {
      const isNeeded = ({ objects }: PlannedFrame) => objects.some((number) => number !== -1 && isLacking(number));
      return this.#frames.flatMap((frames, pack) => runsOf(frames.filter(isNeeded), pack));
    }
    const digest = this.#manifest.digest(missing).toString("hex");
    const what = `${nowhere.length} of its objects are in none of the ${this.#frames.length} packs that hpsd names, the first is`;
    throw new HpsError("data-loss", `the image is not complete: ${what} ${digest}`, {
      hint: "import it again, then hpsctl installation retry HOST",
    });
  }

  #planned(frame: ListedFrame): PlannedFrame | undefined {
    const objects = Int32Array.from(frame.lengths, (_, index) => this.#take(frame.digests, DIGEST * index));
    return objects.every((number) => number === -1) ? undefined : { ...frame, objects };
  }

  #take(digests: Buffer, offset: number): number {
    const number = this.#manifest.find(digests, offset);
    if (number === undefined || this.#wanted[number] !== 1) return -1;
    this.#wanted[number] = 0;
    this.#left -= 1;
    return number;
  }
}

type Findable = Pick<FindableManifest, "objectCount" | "digest" | "find">;

/** The ranges in which the parts of file number `file`, which are in order, are asked for. */
export function runsOf<Part extends Wanted>(parts: readonly Part[], file: number): Run<Part>[] {
  const runs: { file: number; from: number; to: number; parts: Part[] }[] = [];
  for (const part of parts) {
    const end = part.offset + part.compressedBytes;
    const last = runs.at(-1);
    if (last !== undefined && part.offset - last.to <= LARGEST_GAP && end - last.from <= LONGEST_RUN) {
      last.parts.push(part);
      last.to = end;
    } else runs.push({ file, from: part.offset, to: end, parts: [part] });
  }
  return runs;
}
