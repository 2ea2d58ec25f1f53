/**
 * What an upload costs: reading the manifest, looking its objects up, decompressing and hashing what comes, waiting for the
 * disk. Nothing of it is believed before it was checked. Runs in a thread of its own, so that hpsd is never held up.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { LARGEST_OBJECT } from "../../../proto/image/limits.ts";
import { manifestBytes, openManifest } from "../../../proto/image/manifest.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { roundSize } from "../../../proto/values/size.ts";
import { diskError } from "../files/disk-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import { type ImageAllowance, tooLarge } from "./image-limits.ts";
import { plannedPacks } from "./pack-frames.ts";
import { PackSeries } from "./pack-series.ts";
import type { WrittenPack } from "./pack-writer.ts";
import { planRuns } from "./run-plan.ts";

export interface UploadStart {
  /** Names it to its sender: `image debian:12`. */
  readonly what: string;
  /** Of the manifest. */
  readonly digest: string;
  /** Of the manifest as it comes. */
  readonly manifestBytes: number;
  /** Where the manifest is made, and the packs: `<packs>-1`, … */
  readonly manifest: string;
  readonly packs: string;
  /** Packs that whoever installs the image may read. */
  readonly library: readonly StoredFile[];
  /** How much may be stored. */
  readonly allowed: ImageAllowance;
}

/** First object and how many. */
export type ObjectRange = readonly [number, number];

/** What is to be sent, and what the image is. */
export interface UploadPlan {
  readonly fresh: readonly ObjectRange[];
  readonly again: readonly ObjectRange[];
  /** Bytes of content that are to come. */
  readonly wantedBytes: number;
  /** The library's packs that the image is read from, after the new ones. */
  readonly library: readonly number[];
  readonly contentBytes: number;
  readonly entries: number;
}

/** A frame as it came. */
export interface SentFrame {
  readonly objects: number;
  readonly rawBytes: number;
  readonly bytes: Uint8Array;
}

export class UploadWork {
  readonly #start: UploadStart;
  #chunks: Uint8Array[] = [];
  /** In the order in which they are to come. */
  #wanted: readonly ImageObject[] = [];
  /** How many of them are new. */
  #fresh = 0;
  #next = 0;
  #stored = 0;
  readonly #series: PackSeries;

  constructor(start: UploadStart) {
    this.#start = start;
    this.#series = new PackSeries(start.packs, start.what);
  }

  /** A piece of the compressed manifest. */
  manifest(piece: Uint8Array): void {
    this.#chunks.push(piece);
  }

  /** When all of it is there. `invalid` when it is no manifest, or another than announced. */
  plan(): UploadPlan {
    const { digest, library } = this.#start;
    const stored = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const { objects, entries } = openManifest(manifestBytes(stored, digest));
    const content = contentOf(objects, entries);
    this.#keepManifest(stored);
    const lengths = objects.map(({ length }) => length);
    const plan = planRuns(lengths, plannedPacks(objects, library));
    this.#wanted = copied([...plan.fresh, ...plan.again].flatMap((number) => objects[number] ?? []));
    this.#fresh = plan.fresh.length;
    const wantedBytes = this.#wanted.reduce((sum, { length }) => sum + length, 0);
    const ranges = { fresh: rangesOf(plan.fresh), again: rangesOf(plan.again) };
    return { ...ranges, wantedBytes, library: plan.packs, ...content };
  }

  /** Checks a frame and stores it. `invalid` when it is not what is to come next; answers with all bytes stored so far. */
  frame({ objects: count, rawBytes, bytes }: SentFrame): number {
    const expected = this.#expected(count, rawBytes);
    openFrame(bytes, { offset: this.#series.offset, rawBytes, objects: expected });
    this.#stored += bytes.length;
    const { what, allowed } = this.#start;
    if (this.#stored > allowed.bytes) {
      throw tooLarge(`${what} has more than ${roundSize(allowed.bytes)} that are new`, allowed);
    }
    this.#series.append(bytes, expected);
    this.#next += count;
    return this.#stored;
  }

  /** The packs that were made, in order. `invalid` while anything is missing. */
  finish(): readonly WrittenPack[] {
    const missing = this.#wanted.length - this.#next;
    if (missing > 0) throw this.#wrong(`${missing} of its objects were not sent`);
    return this.#series.finish();
  }

  /** Lets go of the files; they are their maker's to remove. */
  close(): void {
    this.#series.close();
  }

  /** The objects of the next frame: never new ones with others. */
  #expected(count: number, rawBytes: number): readonly ImageObject[] {
    const end = this.#next < this.#fresh ? this.#fresh : this.#wanted.length;
    if (count < 1 || this.#next + count > end) {
      throw this.#wrong(`a frame holds ${count} objects, and ${end - this.#next} are to come`);
    }
    const objects = this.#wanted.slice(this.#next, this.#next + count);
    const length = objects.reduce((sum, object) => sum + object.length, 0);
    if (length !== rawBytes || length > LARGEST_OBJECT) {
      throw this.#wrong(
        `a frame has ${rawBytes} bytes, its objects ${length}, and at most ${LARGEST_OBJECT} are taken`,
      );
    }
    return objects;
  }

  #keepManifest(stored: Uint8Array): void {
    const { manifest, what } = this.#start;
    try {
      const file = openSync(manifest, "wx", 0o600);
      try {
        for (let at = 0; at < stored.length; ) at += writeSync(file, stored, at);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw diskError(error, what);
    }
  }

  #wrong(how: string): HpsError {
    return new HpsError("invalid", `${this.#start.what}: ${how}`, { hint: "nothing of it was kept: send it again" });
  }
}

/** The same, in memory of their own: that of the whole manifest is not held as long as objects come. */
function copied(objects: readonly ImageObject[]): readonly ImageObject[] {
  const digests = Buffer.concat(objects.map(({ digest }) => digest));
  let at = 0;
  return objects.map(({ digest, length }) => {
    const start = at;
    at += digest.length;
    return { digest: digests.subarray(start, at), length };
  });
}

/** Checks every entry on the way. */
function contentOf(
  objects: readonly ImageObject[],
  entries: ReturnType<typeof openManifest>["entries"],
): Pick<UploadPlan, "contentBytes" | "entries"> {
  let [contentBytes, count] = [0, 0];
  for (const entry of entries) {
    count += 1;
    if (entry.type === "file") for (const number of entry.objects) contentBytes += objects[number]?.length ?? 0;
  }
  return { contentBytes, entries: count };
}

function rangesOf(numbers: readonly number[]): readonly ObjectRange[] {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1] += 1;
    else ranges.push([number, 1]);
  }
  return ranges;
}
