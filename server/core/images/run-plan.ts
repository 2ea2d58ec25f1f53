/**
 * Which objects of an image are to be stored: those that no pack has, and again those that would be read in too small pieces or
 * with too much beside them. Pure. An image is installed by reading packs in runs (frames side by side); what is stored again
 * today is what the twelfth of twelve successive images is not slower by than the first.
 */

/** A frame of a pack, seen from one image. */
interface PlannedFrame {
  /** Its place in the pack; frames whose places follow each other lie side by side. */
  readonly place: number;
  /** Compressed. */
  readonly bytes: number;
  readonly rawBytes: number;
  /** Which of the image's objects it holds, by their numbers. */
  readonly objects: readonly number[];
}

/** A pack, with those of its frames that hold any object of the image, in order. */
export type PlannedPack = readonly PlannedFrame[];

export interface RunPlan {
  /** Numbers of objects that no pack has, in order. */
  readonly fresh: readonly number[];
  /** Numbers of objects that packs have and that are to be stored once more, in order. */
  readonly again: readonly number[];
  /** The packs that the image is read from then, after the new one: an object is read from the first that has it. */
  readonly packs: readonly number[];
}

/** A frame of which less is wanted is better stored anew: that costs less than what is then no longer read in vain. */
const WORTHWHILE = 0.5;
/** Of an image, read in vain: as much as may be while there are such frames, and at most. */
const LITTLE_WASTE = 1 / 16;
const MOST_WASTE = 1 / 8;
/** A run that is worth a request of its own, compressed. */
const LONG_RUN = 1 << 20;
/** So much of an image is to lie in long runs. */
const IN_LONG_RUNS = 0.9;
/** What is not compressed yet counts as this much of itself. */
const COMPRESSED = 1 / 3;

/** `lengths` are those of the image's objects, by number; each pack is one that may be read by whoever installs the image. */
export function planRuns(lengths: ArrayLike<number>, packs: readonly PlannedPack[]): RunPlan {
  const order = coveringPacks(lengths, packs);
  const state = new Reading(lengths, packs, order);
  dropWaste(state);
  dropShortRuns(state);
  const again: number[] = [];
  const fresh: number[] = [];
  const kept = state.keptObjects();
  for (let object = 0; object < lengths.length; object += 1) {
    if (kept[object] === 1) continue;
    (state.isStored(object) ? again : fresh).push(object);
  }
  return { fresh, again, packs: order.filter((pack) => state.frames.some((frame) => frame.pack === pack)) };
}

/** A frame with the objects that are read from it, and not from a pack before. */
interface ReadFrame {
  readonly pack: number;
  readonly place: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly objects: readonly number[];
  /** Bytes of `objects`. */
  readonly wanted: number;
}

function usefulness({ wanted, rawBytes }: ReadFrame): number {
  return rawBytes === 0 ? 1 : wanted / rawBytes;
}

/** How the image is read, while parts of it are given up to be stored again. */
class Reading {
  frames: readonly ReadFrame[];
  /** Bytes of the whole image. */
  readonly total: number;
  readonly #lengths: ArrayLike<number>;
  readonly #stored: Uint8Array;

  constructor(lengths: ArrayLike<number>, packs: readonly PlannedPack[], order: readonly number[]) {
    this.#lengths = lengths;
    this.#stored = new Uint8Array(lengths.length);
    this.total = bytesOf(lengths, lengths.length);
    this.frames = order.flatMap((pack) => (packs[pack] ?? []).flatMap((frame) => this.#taken(pack, frame)));
  }

  isStored(object: number): boolean {
    return this.#stored[object] === 1;
  }

  drop(frames: Iterable<ReadFrame>): void {
    const gone = new Set(frames);
    if (gone.size > 0) this.frames = this.frames.filter((frame) => !gone.has(frame));
  }

  /** 1 for each object that is read from where it is. */
  keptObjects(): Uint8Array {
    const kept = new Uint8Array(this.#stored.length);
    for (const { objects } of this.frames) for (const object of objects) kept[object] = 1;
    return kept;
  }

  #taken(pack: number, { place, bytes, rawBytes, objects }: PlannedFrame): readonly ReadFrame[] {
    const own = objects.filter((object) => this.#stored[object] === 0);
    let wanted = 0;
    for (const object of own) {
      // A frame may hold an object twice.
      if (this.#stored[object] === 0) wanted += this.#lengths[object] ?? 0;
      this.#stored[object] = 1;
    }
    return own.length === 0 ? [] : [{ pack, place, bytes, rawBytes, objects: own, wanted }];
  }
}

function bytesOf(lengths: ArrayLike<number>, count: number): number {
  let sum = 0;
  for (let at = 0; at < count; at += 1) sum += lengths[at] ?? 0;
  return sum;
}

/** The worst frames go, until little enough is read in vain. */
function dropWaste(state: Reading): void {
  let waste = state.frames.reduce((sum, { rawBytes, wanted }) => sum + rawBytes - wanted, 0);
  const gone: ReadFrame[] = [];
  for (const frame of [...state.frames].sort((one, other) => usefulness(one) - usefulness(other))) {
    const isCheap = usefulness(frame) < WORTHWHILE;
    if (waste <= state.total * (isCheap ? LITTLE_WASTE : MOST_WASTE)) break;
    waste -= frame.rawBytes - frame.wanted;
    gone.push(frame);
  }
  state.drop(gone);
}

interface Run {
  readonly frames: readonly ReadFrame[];
  readonly bytes: number;
  readonly wanted: number;
}

/** The shortest runs go, until enough of the image lies in long ones; what goes makes the new run longer. */
function dropShortRuns(state: Reading): void {
  const runs = runsOf(state.frames);
  const isLong = (bytes: number) => bytes >= LONG_RUN;
  const long = runs.filter(({ bytes }) => isLong(bytes)).reduce((sum, { wanted }) => sum + wanted, 0);
  let made = state.total - runs.reduce((sum, { wanted }) => sum + wanted, 0);
  const gone: ReadFrame[] = [];
  for (const run of runs.filter(({ bytes }) => !isLong(bytes)).sort((one, other) => one.bytes - other.bytes)) {
    if (long + (isLong(made * COMPRESSED) ? made : 0) >= state.total * IN_LONG_RUNS) break;
    made += run.wanted;
    gone.push(...run.frames);
  }
  state.drop(gone);
}

function runsOf(frames: readonly ReadFrame[]): readonly Run[] {
  const runs: { frames: ReadFrame[]; bytes: number; wanted: number }[] = [];
  let before: ReadFrame | undefined;
  for (const frame of frames) {
    const last = runs.at(-1);
    if (last !== undefined && before?.pack === frame.pack && before.place + 1 === frame.place) {
      last.frames.push(frame);
      last.bytes += frame.bytes;
      last.wanted += frame.wanted;
    } else {
      runs.push({ frames: [frame], bytes: frame.bytes, wanted: frame.wanted });
    }
    before = frame;
  }
  return runs;
}

/** Packs in which everything that is stored can be found, the one that brings most first. */
function coveringPacks(lengths: ArrayLike<number>, packs: readonly PlannedPack[]): readonly number[] {
  const covered = new Uint8Array(lengths.length);
  const gain = (pack: number) => {
    const seen = new Set<number>();
    let sum = 0;
    for (const { objects } of packs[pack] ?? []) {
      for (const object of objects) {
        if (covered[object] === 1 || seen.has(object)) continue;
        seen.add(object);
        sum += lengths[object] ?? 0;
      }
    }
    return sum;
  };
  const waiting = packs.map((_, pack) => ({ pack, gain: gain(pack) })).filter((entry) => entry.gain > 0);
  const order: number[] = [];
  while (waiting.length > 0) {
    // What a pack brings only falls: the first that is still worth what it was is the best.
    waiting.sort((one, other) => other.gain - one.gain || one.pack - other.pack);
    const [best] = waiting;
    if (best === undefined) break;
    const now = gain(best.pack);
    if (now === 0) waiting.shift();
    else if (now < best.gain) best.gain = now;
    else {
      waiting.shift();
      order.push(best.pack);
      for (const { objects } of packs[best.pack] ?? []) for (const object of objects) covered[object] = 1;
    }
  }
  return order;
}
