/** Which objects of packs any image is read from. Reads from the disk at once: for threads that do nothing else meanwhile. */
import { readFileSync } from "node:fs";
import { manifestBytes, openManifest } from "../../../proto/image/manifest.ts";
import type { PackIndex } from "../../../proto/image/pack.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import { readPackIndex } from "./pack-frames.ts";

/** An image, and what it is read from: an object from the first pack that has it. */
export interface ReadImage {
  readonly manifest: StoredFile;
  /** By their numbers in the list of packs. */
  readonly packs: readonly number[];
}

interface PackLife {
  /** 1 for each object that any image is read from here, in the order of the index. Undefined: the pack cannot be read. */
  readonly live: Uint8Array | undefined;
  readonly liveBytes: number;
  /** Of all its objects. */
  readonly rawBytes: number;
}

interface ImageReading {
  /** The packs that anything is read from, in order. */
  readonly packs: readonly number[];
  /** Objects that none of its packs has, or -1 when its manifest cannot be read. */
  readonly missing: number;
}

/** Pack by pack and image by image, in the order in which they were given. */
export interface LibraryLife {
  readonly packs: readonly PackLife[];
  readonly images: readonly ImageReading[];
}

/** Objects of indexes that are kept in memory, some 200 bytes each. */
const MOST_KEPT = 2_000_000;

/** Of an image that cannot be judged everything counts as needed. */
export function libraryLife(images: readonly ReadImage[], packs: readonly StoredFile[]): LibraryLife {
  const indexes = new Indexes(packs);
  const lives = packs.map((_, number) => lifeOf(indexes.get(number)));
  const readings = images.map(({ manifest, packs: own }) => {
    const wanted = wantedOf(manifest);
    if (wanted === undefined) {
      for (const number of own) lives[number]?.live?.fill(1);
      return { packs: own, missing: -1 };
    }
    const read = new Set(own.filter((number) => markLive(lives[number]?.live, indexes.get(number), wanted)));
    // What is missing may be in one that cannot be read: it is not given up.
    const isKept = (number: number) => wanted.size > 0 && lives[number]?.live === undefined;
    return { packs: own.filter((number) => read.has(number) || isKept(number)), missing: wanted.size };
  });
  return { images: readings, packs: lives.map((life, number) => counted(life, indexes.get(number))) };
}

function lifeOf(index: PackIndex | undefined): PackLife {
  if (index === undefined) return { live: undefined, liveBytes: 0, rawBytes: 0 };
  const count = index.frames.reduce((sum, { objects }) => sum + objects.length, 0);
  return { live: new Uint8Array(count), liveBytes: 0, rawBytes: 0 };
}

function counted({ live }: PackLife, index: PackIndex | undefined): PackLife {
  let [liveBytes, rawBytes, at] = [0, 0, 0];
  for (const { objects } of index?.frames ?? []) {
    for (const { length } of objects) {
      rawBytes += length;
      if (live?.[at] === 1) liveBytes += length;
      at += 1;
    }
  }
  return { live, liveBytes, rawBytes };
}

/** Takes from `wanted` what the pack has; answers whether that was anything. */
function markLive(live: Uint8Array | undefined, index: PackIndex | undefined, wanted: Set<string>): boolean {
  if (live === undefined || index === undefined) return false;
  const before = wanted.size;
  let at = 0;
  for (const { objects } of index.frames) {
    for (const { digest } of objects) {
      if (wanted.delete(digest.toString("latin1"))) live[at] = 1;
      at += 1;
    }
  }
  return wanted.size < before;
}

function wantedOf({ path, digest }: StoredFile): Set<string> | undefined {
  try {
    const { objects } = openManifest(manifestBytes(readFileSync(path), digest));
    return new Set(objects.map((object) => object.digest.toString("latin1")));
  } catch (error) {
    if (error instanceof HpsError || isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Indexes of packs, the last ones used kept. */
class Indexes {
  readonly #packs: readonly StoredFile[];
  readonly #kept = new Map<number, { readonly index: PackIndex | undefined; readonly objects: number }>();
  #objects = 0;

  constructor(packs: readonly StoredFile[]) {
    this.#packs = packs;
  }

  get(number: number): PackIndex | undefined {
    const kept = this.#kept.get(number);
    if (kept !== undefined) return kept.index;
    const index = this.#read(number);
    const objects = (index?.frames ?? []).reduce((sum, frame) => sum + frame.objects.length, 0);
    for (const [other, { objects: held }] of this.#kept) {
      if (this.#objects + objects <= MOST_KEPT) break;
      this.#kept.delete(other);
      this.#objects -= held;
    }
    this.#kept.set(number, { index, objects });
    this.#objects += objects;
    return index;
  }

  #read(number: number): PackIndex | undefined {
    const pack = this.#packs[number];
    if (pack === undefined) return undefined;
    try {
      return readPackIndex(pack);
    } catch (error) {
      if (error instanceof HpsError) return undefined;
      throw error;
    }
  }
}
