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

/** Times are microseconds since the start; each line holds the interval since the one before, so none may go back. */
export class CastEvents {
  /** Never drops a character that two reads share; a byte-order mark is data like any other. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #last = 0;

  /** What the terminal shows; empty when the bytes so far are only the beginning of a character. */
  output(at: number, bytes: Uint8Array): string {
    return this.#text(at, this.#decoder.decode(bytes, { stream: true }));
  }

  resize(at: number, { rows, columns }: WindowSize): string {
    return this.#event(at, "r", `${columns}x${rows}`);
  }

  /** The last line, with what was left of a broken character before it. */
  exit(at: number, code: number): string {
    return this.#text(at, this.#decoder.decode()) + this.#event(at, "x", String(code));
  }

  #text(at: number, text: string): string {
    return text === "" ? "" : this.#event(at, "o", text);
  }

  #event(at: number, code: "o" | "r" | "x", data: string): string {
    const time = Math.max(Math.round(at), this.#last);
    const interval = (time - this.#last) / 1_000_000;
    this.#last = time;
    return `[${interval.toFixed(6)}, "${code}", ${JSON.stringify(data)}]\n`;
  }
}
