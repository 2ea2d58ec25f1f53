import type { Writable } from "node:stream";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { PlainText } from "./plain-text.ts";

/** A match lies within this many characters: so much is searched again when more has come. */
const WINDOW = 65_536;
const TAIL_LINES = 40;

/** The serial console of one machine, over all the times it was powered on. */
export class Console {
  readonly #name: string;
  #plain = new PlainText();
  #text = "";
  #input: Writable | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Everything since the first power-on, without escape sequences. The raw bytes are in the machine's `consoleLog`. */
  text(): string {
    return this.#text;
  }

  /** The place where what comes next begins, for `waitFor`. */
  mark(): number {
    return this.#text.length;
  }

  /** The last lines, for a message. */
  tail(lines = TAIL_LINES): string {
    return this.#text.trimEnd().split("\n").slice(-lines).join("\n");
  }

  /**
   * Resolves with the first match behind `from` (default: the beginning). Throws with the console's last lines after `limitMs`, and as
   * soon as the machine is off. A match longer than 64 kB may be missed. What is printed comes in pieces: `$` matches at the end of half
   * a line too, so a pattern that takes the rest of a line ends with `\\n`.
   */
  waitFor(pattern: RegExp, limitMs: number, from = 0): Promise<RegExpExecArray> {
    const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    let searched = from;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act();
      };
      const fail = (why: string) =>
        settle(() =>
          reject(new HpsError("deadline", `${this.#name}: ${why} ${pattern}. Its console ended with:\n${this.tail()}`)),
        );
      const look = () => {
        const match = once.exec(this.#text.slice(Math.max(from, searched - WINDOW)));
        searched = this.#text.length;
        if (match !== null) settle(() => resolve(match));
        else if (this.#input === undefined) fail("the machine is off and did not print");
      };
      const timer = setTimeout(() => fail(`did not print within ${Math.round(limitMs / 1000)} s`), limitMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Types on the serial console; `\r` is the Enter key. */
  type(keys: string): void {
    if (this.#input === undefined)
      throw new HpsError("precondition", `${this.#name} is off: nobody reads what is typed`);
    this.#input.write(keys);
  }

  /** The machine is on: this is its keyboard. */
  connect(input: Writable): void {
    this.#plain = new PlainText();
    this.#input = input;
  }

  /** What the machine printed. */
  grow(chunk: Uint8Array): void {
    this.#text += this.#plain.push(chunk);
    this.#wake();
  }

  /** The machine is off, and all it printed has come. */
  disconnect(): void {
    this.#input = undefined;
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}
