import { Bell } from "../../proto/flow/bell.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Program } from "./program.ts";

/** hpsd sends on while less than 256 KiB are not taken, and at most as much again in one piece. */
const MOST_WAITING = 512 * 1024;
/** How much more the program has taken before hpsd is told again. */
export const TAKEN_STEP = 64 * 1024;
/** Pieces below it are joined while they wait, so that a key held down costs no more than its bytes. */
const JOINED_BYTES = 4096;

/** What a program is given, in order, as fast as it reads. Offsets count bytes from the session's beginning. */
export class ProgramInput {
  readonly #bell = new Bell();
  readonly #writing: Promise<void>;
  #waiting: (Uint8Array | "end")[] = [];
  #received = 0;
  #taken = 0;
  #closed = false;

  /** `onTaken` hears each time that the program has taken some. */
  constructor(program: Program, onTaken: () => void) {
    this.#writing = this.#write(program, onTaken);
  }

  /** Has come from hpsd. */
  get received(): number {
    return this.#received;
  }

  /** Was given to the program. */
  get taken(): number {
    return this.#taken;
  }

  /** Resolves when nothing is being written any more: after `close` and the program's own. */
  get idle(): Promise<void> {
    return this.#writing;
  }

  /** Never waits: hpsd waits for what it is told was taken. `invalid` when it does not. */
  put(bytes: Uint8Array): void {
    if (this.#received - this.#taken + bytes.length > MOST_WAITING) {
      throw new HpsError("invalid", `more than ${MOST_WAITING} bytes of input that the program has not read`);
    }
    const last = this.#waiting.at(-1);
    if (last !== undefined && last !== "end" && last.length + bytes.length <= JOINED_BYTES) {
      this.#waiting[this.#waiting.length - 1] = Buffer.concat([last, bytes]);
    } else if (bytes.length > 0) {
      this.#waiting.push(bytes);
    }
    this.#received += bytes.length;
    this.#bell.ring();
  }

  /** One that waits already is the same end. */
  end(): void {
    if (this.#waiting.at(-1) !== "end") this.#waiting.push("end");
    this.#bell.ring();
  }

  /** What waits is forgotten. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#bell.ring();
  }

  async #write(program: Program, onTaken: () => void): Promise<void> {
    while (!this.#closed) {
      const { rung } = this.#bell;
      const item = this.#waiting.shift();
      if (item === undefined) {
        await rung;
      } else if (item === "end") {
        await program.endInput();
      } else {
        await program.write(item);
        this.#taken += item.length;
        onTaken();
      }
    }
  }
}
