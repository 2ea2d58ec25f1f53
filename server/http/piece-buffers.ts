/** As many are on their way at a time in large pieces; whoever comes then gets small ones. */
const MOST_LARGE = 128;
/** While fewer are lent, who sends may read a piece ahead. */
const MOST_AHEAD = 64;
/** What is kept while nothing is sent. */
const KEPT = 16;
const LARGE_BYTES = 256 * 1024;
const SMALL_BYTES = 64 * 1024;

/**
 * Memory that files are read into on their way to sockets, lent again and again: new memory for each piece keeps V8's collecting
 * threads busier than all the sending does. What a peer holds that does not read is one piece, of 64 KiB when there are many.
 */
export class PieceBuffers {
  readonly #large: Buffer[] = [];
  readonly #small: Buffer[] = [];
  #lent = 0;

  get lent(): number {
    return this.#lent;
  }

  /** Whether one may be taken by who has another. */
  get hasSpare(): boolean {
    return this.#lent < MOST_AHEAD;
  }

  /** With any content. Comes back by `give`, or is let go by `forget`. */
  take(): Buffer {
    const isLarge = this.#lent < MOST_LARGE;
    this.#lent += 1;
    const [free, bytes] = isLarge ? [this.#large, LARGE_BYTES] : [this.#small, SMALL_BYTES];
    return free.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Nobody reads it or writes to it any more. */
  give(buffer: Buffer): void {
    this.#lent -= 1;
    (buffer.length === LARGE_BYTES ? this.#large : this.#small).push(buffer);
    this.#letGo();
  }

  /** A socket that has broken may still have it: nobody gets it again. */
  forget(): void {
    this.#lent -= 1;
    this.#letGo();
  }

  #letGo(): void {
    if (this.#lent > 0) return;
    this.#large.length = Math.min(this.#large.length, KEPT);
    this.#small.length = 0;
  }
}
