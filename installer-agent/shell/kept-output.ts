import type { Bell } from "../../proto/flow/bell.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/**
 * The end of a terminal's output that hpsd may still ask for, in a ring of fixed size. Offsets count bytes from the
 * session's beginning.
 */
export class KeptOutput {
  readonly #ring: Buffer;
  readonly #bell: Bell;
  #first = 0;
  #next = 0;
  #closed = false;

  /** The bell rings when something came or went. */
  constructor(capacity: number, bell: Bell) {
    this.#ring = Buffer.allocUnsafeSlow(capacity);
    this.#bell = bell;
  }

  /** Offset of the oldest byte that is kept. */
  get first(): number {
    return this.#first;
  }

  /** Offset of the next byte to come. */
  get next(): number {
    return this.#next;
  }

  /** Resolves when all is kept, which waits until there is room; false when nobody wants it any more. */
  async put(bytes: Uint8Array): Promise<boolean> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#closed) return false;
      const { rung } = this.#bell;
      const taken = this.#append(bytes.subarray(done));
      done += taken;
      if (taken === 0) await rung;
      else this.#bell.ring();
    }
    return true;
  }

  /** Puts what is not the program's, without waiting; left out where there is no room for all of it. */
  insert(bytes: Uint8Array): void {
    if (bytes.length > this.#ring.length - (this.#next - this.#first)) return;
    this.#append(bytes);
    this.#bell.ring();
  }

  /** A copy of what lies from `offset` on, at most so much; empty when nothing does. */
  read(offset: number, most: number): Uint8Array<ArrayBuffer> {
    if (offset < this.#first || offset > this.#next) throw new HpsError("internal", `output ${offset} is not kept`);
    const size = Math.min(most, this.#next - offset);
    const at = offset % this.#ring.length;
    const until = Math.min(at + size, this.#ring.length);
    const copy = new Uint8Array(size);
    copy.set(this.#ring.subarray(at, until));
    copy.set(this.#ring.subarray(0, size - (until - at)), until - at);
    return copy;
  }

  /** What lies below is wanted no more. */
  forget(below: number): void {
    if (below <= this.#first) return;
    this.#first = Math.min(below, this.#next);
    this.#bell.ring();
  }

  /** Nothing more is wanted. */
  close(): void {
    this.#closed = true;
    this.#bell.ring();
  }

  /** How much there was room for. */
  #append(bytes: Uint8Array): number {
    const room = this.#ring.length - (this.#next - this.#first);
    const size = Math.min(room, bytes.length);
    const at = this.#next % this.#ring.length;
    const until = Math.min(at + size, this.#ring.length);
    this.#ring.set(bytes.subarray(0, until - at), at);
    this.#ring.set(bytes.subarray(until - at, size), 0);
    this.#next += size;
    return size;
  }
}
