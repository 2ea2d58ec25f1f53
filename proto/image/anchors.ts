/**
 * Finds where new content stood in an old file, whatever was put in or taken out before it: places are remembered by a hash of
 * the 32 bytes that end there, one place of many, chosen by the hash itself and so the same in both.
 */
import { createHash } from "node:crypto";
import { LARGEST_WINDOW } from "./limits.ts";

/** Kept of an old file, however large: its memory is a few MiB. */
const MOST_ANCHORS = 1 << 17;
/** One place in 256 at least: a change every few kB still leaves some. */
const FEWEST_BITS = 8;
/** Places of a piece whose windows are compared. */
const STEP = LARGEST_WINDOW / 8;

/** Less may be chance: some of the hashes of any content are also some of any other's. */
const FEWEST_VOTES = 4;
const CHANCE = 512;

/** One number for each byte, the same in every run. */
const GEAR = new Int32Array(256).map((_, byte) => createHash("sha256").update(`gear ${byte}`).digest().readInt32LE(0));

export class Anchors {
  readonly #shift: number;
  readonly #places = new Map<number, number>();
  #size = 0;
  #hash = 0;

  /** For an old file of `size` bytes, whose content is `add`ed from its beginning to its end. */
  constructor(size: number) {
    const bits = Math.ceil(Math.log2(Math.max(size, 1) / MOST_ANCHORS));
    this.#shift = 32 - Math.min(Math.max(bits, FEWEST_BITS), 24);
  }

  add(content: Uint8Array): void {
    let hash = this.#hash;
    for (let at = 0; at < content.length; at++) {
      hash = ((hash << 1) + (GEAR[content[at] ?? 0] ?? 0)) | 0;
      if (hash >>> this.#shift === 0) this.#keep(hash, this.#size + at);
    }
    this.#hash = hash;
    this.#size += content.length;
  }

  #keep(hash: number, place: number): void {
    if (this.#places.size < MOST_ANCHORS && !this.#places.has(hash)) this.#places.set(hash, place);
  }

  /** Where the window of `LARGEST_WINDOW` begins that shares most with `piece`; undefined when next to nothing is shared. */
  bestWindow(piece: Uint8Array): number | undefined {
    const votes = this.#votes(piece);
    let best: number | undefined;
    let most = FEWEST_VOTES + (piece.length >>> (32 - this.#shift)) / CHANCE;
    for (let step = 0; step * STEP < this.#size; step++) {
      let sum = 0;
      for (let part = 0; part < LARGEST_WINDOW / STEP; part++) sum += votes.get(step + part) ?? 0;
      if (sum > most) {
        most = sum;
        best = step;
      }
    }
    return best === undefined ? undefined : Math.max(0, Math.min(best * STEP, this.#size - LARGEST_WINDOW));
  }

  /** How many places of `piece` stand in each `STEP` of the old file. */
  #votes(piece: Uint8Array): ReadonlyMap<number, number> {
    const votes = new Map<number, number>();
    // Each hash once: a run of zeros would outvote all else.
    const seen = new Set<number>();
    let hash = 0;
    for (let at = 0; at < piece.length; at++) {
      hash = ((hash << 1) + (GEAR[piece[at] ?? 0] ?? 0)) | 0;
      if (hash >>> this.#shift !== 0) continue;
      const place = this.#places.get(hash);
      if (place === undefined || seen.has(hash)) continue;
      seen.add(hash);
      const step = Math.floor(place / STEP);
      votes.set(step, (votes.get(step) ?? 0) + 1);
    }
    return votes;
  }
}
