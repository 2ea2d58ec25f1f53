/** For tests: a library that images are imported into, as the planner of runs sees it, and what reading them costs. */
import { expect } from "vitest";
import { type PlannedPack, planRuns, type RunPlan } from "./run-plan.ts";

const MIB = 1 << 20;
/** Of what a frame holds: what a system's files come to. */
const RATIO = 0.4;

/** A generator of numbers that is the same each time. */
export function numbers(seed: number): () => number {
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
export const lengthOf = (name: string) => Number(name.slice(name.indexOf(":") + 1));

export function packOf(names: readonly string[]): Pack {
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
export function plannedOf(image: readonly string[], packs: readonly Pack[]): PlannedPack[] {
  const numberOf = new Map(image.map((name, number) => [name, number]));
  return packs.map((pack) =>
    pack.flatMap((frame, place) => {
      const objects = frame.objects.flatMap((name) => numberOf.get(name) ?? []);
      return objects.length === 0 ? [] : [{ place, bytes: compressed(frame), rawBytes: frame.rawBytes, objects }];
    }),
  );
}

/** A library that images are imported into one after the other. */
export class Library {
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
export function fresh(random: () => number): string {
  made += 1;
  // Many small files and some large ones.
  const length = random() < 0.97 ? Math.floor(random() * 30_000) + 1 : Math.floor(random() * 4 * MIB) + 1;
  return `o${made}:${length}`;
}

/** The next of successive images: of `share` of its packages every file is another, or of files that lie anywhere. */
export function changed(image: readonly string[], share: number, random: () => number, isScattered = false): string[] {
  const next: string[] = [];
  for (let at = 0; at < image.length; ) {
    const size = isScattered ? 1 : 1 + Math.floor(random() * 60);
    const isNew = random() < share;
    for (const name of image.slice(at, at + size)) next.push(isNew ? fresh(random) : name);
    at += size;
  }
  return next;
}
