import { TextDecoder } from "node:util";
import type { WindowSize } from "../../../proto/values/terminal.ts";

/** asciicast v3, https://docs.asciinema.org/manual/asciicast/v3: a header line, then one line an event. */

export interface CastHeader extends WindowSize {
  readonly term: string;
  /** UTC milliseconds. */
  readonly startedAt: number;
  readonly title: string;
}

export function castHeader({ rows, columns, term, startedAt, title }: CastHeader): string {
  const header = {
    version: 3,
    term: { cols: columns, rows, type: term },
    timestamp: Math.floor(startedAt / 1000),
    title,
  };
  return `${JSON.stringify(header)}\n`;
}

/** A line a player ignores. */
export function castComment(text: string): string {
  return `# ${text.replace(/[\r\n]+/g, " ")}\n`;
}

/** Where the events of a cast that was begun earlier go on. */
export interface CastPosition {
  /** Microseconds of its last event. */
  readonly last: number;
  /** Have seen all output, and all recorded input, so far. */
  readonly output: TextDecoder;
  readonly input: TextDecoder;
}

/** The marker of output that neither hpsd nor the agent has: whoever goes on with the recording counts it by this. */
export function gapLabel(bytes: number): string {
  return `${bytes} bytes of output are missing here`;
}

/** 0 for any other marker. */
export function gapOf(label: string): number {
  return Number(/^(\d{1,15}) bytes of output are missing here$/.exec(label)?.[1] ?? 0);
}

/** Never drops a character that two reads share; a byte-order mark is data like any other. */
export function castDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

/** Times are microseconds since the start; each line holds the interval since the one before, so none may go back. */
export class CastEvents {
  readonly #output: TextDecoder;
  readonly #input: TextDecoder;
  #last: number;

  constructor(from: CastPosition = { last: 0, output: castDecoder(), input: castDecoder() }) {
    this.#output = from.output;
    this.#input = from.input;
    this.#last = from.last;
  }

  /** What the terminal shows; empty when the bytes so far are only the beginning of a character. */
  output(at: number, bytes: Uint8Array): string {
    return this.#text(at, "o", this.#output.decode(bytes, { stream: true }));
  }

  /** What was typed. */
  input(at: number, bytes: Uint8Array): string {
    return this.#text(at, "i", this.#input.decode(bytes, { stream: true }));
  }

  /** Text of the terminal whose bytes this has seen already: the part of them that is not in the cast. */
  missed(at: number, text: string): string {
    return this.#text(at, "o", text);
  }

  /** A moment a viewer may want to find. */
  mark(at: number, label: string): string {
    return this.#event(at, "m", label);
  }

  resize(at: number, { rows, columns }: WindowSize): string {
    return this.#event(at, "r", `${columns}x${rows}`);
  }

  /** The last line, with what was left of broken characters before it. */
  exit(at: number, code: number): string {
    const rest = this.#text(at, "o", this.#output.decode()) + this.#text(at, "i", this.#input.decode());
    return rest + this.#event(at, "x", String(code));
  }

  #text(at: number, code: "o" | "i", text: string): string {
    return text === "" ? "" : this.#event(at, code, text);
  }

  #event(at: number, code: "o" | "i" | "m" | "r" | "x", data: string): string {
    const time = Math.max(Math.round(at), this.#last);
    const interval = (time - this.#last) / 1_000_000;
    this.#last = time;
    return `[${interval.toFixed(6)}, "${code}", ${JSON.stringify(data)}]\n`;
  }
}
