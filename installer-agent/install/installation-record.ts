import type { EventBody } from "../link/attach-messages.ts";

/** Of each text: its beginning, which says what was meant, and its end, which says how it went. */
const HEAD = 256 * 1024;
const TAIL = 2 * 1024 * 1024;
/** Of one line; a program can write a line without an end. */
const LONGEST = 4096;

/** A text of any length of which the middle is left out. */
class BoundedText {
  #head = "";
  #tail: string[] = [];
  #tailSize = 0;
  #left = 0;

  add(line: string): void {
    const text = `${line.slice(0, LONGEST)}\n`;
    if (this.#left === 0 && this.#tail.length === 0 && this.#head.length + text.length <= HEAD) {
      this.#head += text;
      return;
    }
    this.#tail.push(text);
    this.#tailSize += text.length;
    while (this.#tailSize > TAIL) {
      this.#tailSize -= this.#tail.shift()?.length ?? 0;
      this.#left += 1;
    }
  }

  toString(): string {
    const gap = this.#left === 0 ? [] : [`… ${this.#left} lines are left out here …\n`];
    return [this.#head, ...gap, ...this.#tail].join("");
  }
}

/** What the installation said and did since the agent started, for the installed system to keep. */
export class InstallationRecord {
  readonly #log = new BoundedText();
  readonly #journal = new BoundedText();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  line(source: string, text: string): void {
    this.#log.add(`${this.#time()} ${source}: ${text}`);
  }

  /** Progress is left out: what it came to is in the events after it. */
  event({ case: event, value }: EventBody): void {
    if (event === "stepProgress") return;
    const { step, reason, steps } = { step: undefined, reason: undefined, steps: undefined, ...value };
    this.#journal.add(JSON.stringify({ time: this.#time(), event, step, reason, steps }));
  }

  /** Lines `TIME SOURCE: TEXT`. */
  get log(): string {
    return `${this.#log}`;
  }

  /** One JSON object a line. */
  get journal(): string {
    return `${this.#journal}`;
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}
