import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, showName } from "../byte-string.ts";

/** How much an archive may hold. What is kept in memory until the end has a bound of its own. */
export interface UnpackLimits {
  /** Bytes of content, holes not counted. */
  readonly bytes: number;
  readonly entries: number;
  /** Folders above a name. */
  readonly depth: number;
}

export const DEFAULT_LIMITS: UnpackLimits = { bytes: 2 ** 40, entries: 20_000_000, depth: 128 };

/** Names, attributes and lists of folders, which are set when all is unpacked. */
const MOST_KEPT = 64 << 20;

/** Counts against the limits; throws `exhausted` at the first excess. */
export class Budget {
  readonly #limits: UnpackLimits;
  bytes = 0;
  entries = 0;
  #kept = 0;

  constructor(limits: UnpackLimits) {
    this.#limits = limits;
  }

  addEntry(path: ByteString): void {
    this.entries += 1;
    if (this.entries > this.#limits.entries) throw tooMuch(path, `more than ${this.#limits.entries} entries`);
  }

  addBytes(count: number, path: ByteString): void {
    this.bytes += count;
    if (this.bytes > this.#limits.bytes) throw tooMuch(path, `more than ${this.#limits.bytes} bytes`);
  }

  addKept(count: number, path: ByteString): void {
    this.#kept += count;
    if (this.#kept > MOST_KEPT) throw tooMuch(path, "more folder names and attributes than fit in memory");
  }
}

function tooMuch(path: ByteString, what: string): HpsError {
  return new HpsError("exhausted", `the archive holds ${what}; it was refused at ${showName(path)}`);
}
