import { expect, test } from "vitest";
import { type PlannedPack, planRuns, type RunPlan } from "./run-plan.ts";

const MIB = 1 << 20;
/** Of what a frame holds: what a system's files come to. */
const RATIO = 0.4;

/** A generator of numbers that is the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

interface Held {
  readonly objects: readonly string[];
  readonly rawBytes: number;
}
type Pack = readonly Held[];

/** Objects have names here that tell how long they are. */
const lengthOf = (name: string) => Number(name.slice(name.indexOf(":") + 1));

function packOf(names: readonly string[]): Pack {
  const frames: { objects: string[]; rawBytes: number }[] = [];
  for (const name of names) {
    const last = frames.at(-1);
    if (last !== undefined && last.rawBytes + lengthOf(name) <= 4 * MIB) {
      last.objects.push(name);
      last.rawBytes += lengthOf(name);
    } else frames.push({ objects: [name], rawBytes: lengthOf(name) });
  }
  return frames;
}

const compressed = ({ rawBytes }: Held) => Math.ceil(rawBytes * RATIO);

/** As the worker sees a library. */
function plannedOf(image: readonly string[], packs: readonly Pack[]): PlannedPack[] {
  const numberOf = new Map(image.map((name, number) => [name, number]));
  return packs.map((pack) =>
    pack.flatMap((frame, place) => {
      const objects = frame.objects.flatMap((name) => numberOf.get(name) ?? []);
      return objects.length === 0 ? [] : [{ place, bytes: compressed(frame), rawBytes: frame.rawBytes, objects }];
    }),
  );
}

/** A library that images are imported into one after the other. */
class Library {
  packs: Pack[] = [];
  storedAgain = 0;

  add(image: readonly string[]): Imported {
    const plan = planRuns(image.map(lengthOf), plannedOf(image, this.packs));
    const named = (numbers: readonly number[]) => numbers.map((number) => image[number] ?? "");
    this.storedAgain += named(plan.again).reduce((sum, name) => sum + lengthOf(name), 0);
    const made = packOf([...named(plan.fresh), ...named(plan.again)]);
    const read = [made, ...plan.packs.map((pack) => this.packs[pack] ?? [])];
    this.packs.push(made);
    return { plan, ...readingOf(image, read) };
  }
}

interface Imported {
  readonly plan: RunPlan;
  /** Bytes that are read, over those that are needed. */
  readonly cost: number;
  /** Share of the image in runs of a mebibyte or more. */
  readonly long: number;
  readonly runs: number;
}

/** What an agent does: each object from the first pack that has it, frames side by side in one request. */
function readingOf(image: readonly string[], packs: readonly Pack[]): Omit<Imported, "plan"> {
  const missing = new Set(image);
  const total = image.reduce((sum, name) => sum + lengthOf(name), 0);
  let [read, long, runs] = [0, 0, 0];
  for (const pack of packs) {
    let run = { bytes: 0, wanted: 0 };
    const end = () => {
      if (run.bytes > 0) runs += 1;
      if (run.bytes >= MIB) long += run.wanted;
      run = { bytes: 0, wanted: 0 };
    };
    for (const frame of pack) {
      const own = frame.objects.filter((name) => missing.delete(name));
      if (own.length === 0) {
        end();
        continue;
      }
      run.bytes += compressed(frame);
      run.wanted += own.reduce((sum, name) => sum + lengthOf(name), 0);
      read += frame.rawBytes;
    }
    end();
  }
  expect([...missing]).toEqual([]);
  return { cost: read / total, long: long / total, runs };
}

let made = 0;
function fresh(random: () => number): string {
  made += 1;
  // Many small files and some large ones.
  const length = random() < 0.97 ? Math.floor(random() * 30_000) + 1 : Math.floor(random() * 4 * MIB) + 1;
  return `o${made}:${length}`;
}

/** The next of successive images: of `share` of its packages every file is another, or of files that lie anywhere. */
function changed(image: readonly string[], share: number, random: () => number, isScattered = false): string[] {
  const next: string[] = [];
  for (let at = 0; at < image.length; ) {
    const size = isScattered ? 1 : 1 + Math.floor(random() * 60);
    const isNew = random() < share;
    for (const name of image.slice(at, at + size)) next.push(isNew ? fresh(random) : name);
    at += size;
  }
  return next;
}

test("into an empty library everything is new, and nothing is read in vain", () => {
  const random = numbers(1);
  const image = Array.from({ length: 3000 }, () => fresh(random));
  const { plan, cost, long } = new Library().add(image);
  expect(plan.fresh).toEqual(image.map((_, number) => number));
  expect(plan).toMatchObject({ again: [], packs: [] });
  expect(cost).toBe(1);
  expect(long).toBe(1);
});

test("what is there already as a whole is stored no second time", () => {
  const random = numbers(2);
  const library = new Library();
  const image = Array.from({ length: 3000 }, () => fresh(random));
  library.add(image);
  expect(library.add([...image]).plan).toEqual({ fresh: [], again: [], packs: [0] });
  expect(library.add(image.slice(500)).plan).toMatchObject({ fresh: [], again: [], packs: [0] });
});

test.each([0.02, 0.05, 0.1, 0.25])(
  "the twelfth of twelve images of which each has %s changed is read nearly as the first, and not everything is stored again",
  (share) => {
    for (let seed = 0; seed < 2; seed += 1) {
      const random = numbers(seed + 100);
      const library = new Library();
      let image = Array.from({ length: 8000 }, () => fresh(random));
      const first = library.add(image);
      const before = new Set<string>();
      let changedBytes = 0;
      for (let round = 1; round < 12; round += 1) {
        for (const name of image) before.add(name);
        image = changed(image, share, random);
        changedBytes += image.filter((name) => !before.has(name)).reduce((sum, name) => sum + lengthOf(name), 0);
        const { cost, long } = library.add(image);
        expect(cost).toBeLessThanOrEqual(1.126);
        expect(long).toBeGreaterThanOrEqual(0.9);
      }
      const last = library.add(image);
      expect(last.cost / first.cost).toBeLessThanOrEqual(1.126);
      // Each byte that is stored again is paid for by bytes beside it that nobody needs any more.
      expect(library.storedAgain).toBeLessThanOrEqual(changedBytes);
    }
  },
);

test("what changes here and there in every frame costs room, and a bound of it, but not much time", () => {
  const random = numbers(3);
  const library = new Library();
  let image = Array.from({ length: 8000 }, () => fresh(random));
  library.add(image);
  let changedBytes = 0;
  for (let round = 1; round < 12; round += 1) {
    const before = new Set(image);
    image = changed(image, 0.03, random, true);
    changedBytes += image.filter((name) => !before.has(name)).reduce((sum, name) => sum + lengthOf(name), 0);
    const { cost, long } = library.add(image);
    expect(cost).toBeLessThanOrEqual(1.126);
    expect(long).toBeGreaterThanOrEqual(0.9);
  }
  expect(library.storedAgain).toBeLessThanOrEqual(8 * changedBytes);
});

test("whatever packs there are, each object is found once: kept, stored again or new", () => {
  const random = numbers(7);
  for (let round = 0; round < 200; round += 1) {
    const pool = Array.from({ length: 1 + Math.floor(random() * 400) }, () => fresh(random));
    const some = () => pool.filter(() => random() < 0.5);
    const packs = Array.from({ length: Math.floor(random() * 6) }, () => packOf(some()));
    const image = some();
    const planned = plannedOf(image, packs);
    const { fresh: isNew, again, packs: kept } = planRuns(image.map(lengthOf), planned);
    const sent = new Set([...isNew, ...again]);
    expect(sent.size).toBe(isNew.length + again.length);
    const stored = new Set(planned.flat().flatMap(({ objects }) => objects));
    expect(isNew.filter((number) => stored.has(number))).toEqual([]);
    expect(again.filter((number) => !stored.has(number))).toEqual([]);
    const read = new Set(kept.flatMap((pack) => planned[pack] ?? []).flatMap(({ objects }) => objects));
    expect(image.map((_, number) => number).filter((number) => !sent.has(number) && !read.has(number))).toEqual([]);
  }
});
