import { safeText } from "../../proto/values/safe-text.ts";
import { progressText, Rate } from "./rate.ts";
import { joined, runningText } from "./running-text.ts";
import { type Terminal, write } from "./terminal.ts";
import { fitText, textWidth } from "./text-width.ts";

const DRAW_MS = 100;

/** Bytes that go by, on stderr: a bar that is drawn in its place on a terminal, a line at the beginning off it. */
export class ProgressBar implements Disposable {
  readonly #terminal: Terminal;
  readonly #what: string;
  readonly #total: bigint;
  readonly #rate: Rate;
  #done = 0n;
  #drawnAt = 0;

  /** `what` stands before the bar: `sending base.tar.zst`. A total of 0 is one that is not known. */
  constructor(terminal: Terminal, what: string, total: number) {
    this.#terminal = terminal;
    this.#what = safeText(what);
    this.#total = BigInt(total);
    this.#rate = new Rate(0n, terminal.now());
    const size = progressText({ done: this.#total, total: 0n, unit: "bytes" });
    if (!this.#live) this.#put(`${this.#what}${size === "" ? "" : `, ${size}`}\n`);
  }

  add(bytes: number): void {
    this.#done += BigInt(bytes);
    const now = this.#terminal.now();
    if (!this.#live || now - this.#drawnAt < DRAW_MS) return;
    this.#drawnAt = now;
    this.#rate.add(this.#done, now);
    const progress = { done: this.#done, total: this.#total, unit: "bytes" };
    const width = (this.#terminal.stderr.columns ?? 80) - 1;
    const room = width - textWidth(joined([this.#what, "|"])) + 1;
    const line = joined([this.#what, runningText(progress, this.#rate, room)]);
    this.#put(`\r\x1b[K${fitText(line, width)}`);
  }

  /** Passes the pieces on and counts them. */
  async *through(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const piece of pieces) {
      this.add(piece.length);
      yield piece;
    }
  }

  [Symbol.dispose](): void {
    if (this.#live) this.#put("\r\x1b[K");
  }

  get #live(): boolean {
    return this.#terminal.stderr.isTTY === true && this.#terminal.environment.TERM !== "dumb";
  }

  #put(text: string): void {
    // Work goes on when nobody reads how far it is.
    void write(this.#terminal.stderr, text).catch(() => undefined);
  }
}
