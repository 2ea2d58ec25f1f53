import { statfs } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { roundSize } from "../../../proto/values/size.ts";

/** Left free for the store, which must go on when images fill the disk; of a small disk a twentieth. */
const RESERVE_BYTES = 512 * 1024 * 1024;
const RESERVE_SHARE = 20;
/** Files that may arrive at one time. */
const MOST = 32;

/** What is promised to files that arrive: each is refused before its first byte when it could not end well. */
export class Room {
  readonly #folder: string;
  readonly #promised = new Set<Arrival>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Room for this much, until `release`. `exhausted` when there is not enough beside what others were promised. */
  async take(sizeBytes: number, what: string): Promise<Arrival> {
    if (this.#promised.size >= MOST) {
      throw new HpsError("exhausted", `${MOST} files arrive at hpsd already`, { hint: "try again when they are done" });
    }
    const arrival = new Arrival(sizeBytes, (gone) => this.#promised.delete(gone));
    this.#promised.add(arrival);
    const { bavail, blocks, bsize } = await statfs(this.#folder);
    const reserve = Math.min(RESERVE_BYTES, (blocks * bsize) / RESERVE_SHARE);
    const wanted = [...this.#promised].reduce((sum, { missing }) => sum + missing, reserve);
    if (wanted <= bavail * bsize) return arrival;
    arrival.release();
    throw new HpsError("exhausted", `there is no room for ${what}: ${roundSize(sizeBytes)} on hpsd's disk`, {
      hint: `${roundSize(bavail * bsize)} are free, and ${roundSize(reserve)} of them are the store's: delete images`,
    });
  }
}

/** A file on its way. */
export class Arrival {
  /** Bytes still to come. */
  missing: number;
  readonly #onRelease: (arrival: Arrival) => void;

  constructor(sizeBytes: number, onRelease: (arrival: Arrival) => void) {
    this.missing = sizeBytes;
    this.#onRelease = onRelease;
  }

  /** Idempotent. */
  release(): void {
    this.#onRelease(this);
  }
}
