import type { TextDecoder } from "node:util";
import { castDecoder, gapOf } from "./asciicast.ts";
import { readWritten, type Written } from "./recording-file.ts";
import { readWholeLines } from "./whole-lines.ts";

/** How far a cast that another process left goes along with its raw file. */
export interface CastEnd {
  readonly cast: Written;
  readonly raw: Written;
  /** Has seen all of the raw file. */
  readonly decoder: TextDecoder;
  /** Microseconds of the last event. */
  readonly last: number;
  /** The end of the terminal's text, which is in the raw file and not in the cast. */
  readonly missed: string;
  /** Bytes of output that the cast says are missing. */
  readonly gaps: number;
}

/**
 * The two files of a terminal were written at one time, so that either may be ahead when their process died. The raw file
 * is what counts: the cast is taken up to where its text is the raw file's, without a torn line and without an exit.
 */
export async function readCastEnd(castPath: string, rawPath: string): Promise<CastEnd> {
  const decoder = castDecoder();
  let length = 0;
  const raw = await readWritten(rawPath, (chunk) => {
    length += decoder.decode(chunk, { stream: true }).length;
  });
  const reader = new CastReader(length);
  const cast = await readWholeLines(castPath, (line) => reader.take(line));
  if (cast.bytes === 0) throw new Error(`${castPath} has no whole first line`);
  const { text, last, gaps } = reader;
  return { cast, raw, decoder, last, gaps, missed: text === length ? "" : await textFrom(rawPath, text) };
}

/** Counts text, time and gaps of a cast, line by line. */
class CastReader {
  readonly #most: number;
  #isFirst = true;
  text = 0;
  last = 0;
  gaps = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether the line belongs to what goes on. */
  take(line: string): boolean {
    if (this.#isFirst) {
      this.#isFirst = false;
      return true;
    }
    if (line.startsWith("#")) return true;
    const event = eventOf(line);
    if (event === undefined || event.code === "x") return false;
    if (event.code === "o") {
      if (this.text + event.data.length > this.#most) return false;
      this.text += event.data.length;
    }
    if (event.code === "m") this.gaps += gapOf(event.data);
    this.last += Math.round(event.interval * 1_000_000);
    return true;
  }
}

interface CastEvent {
  readonly interval: number;
  readonly code: string;
  readonly data: string;
}

function eventOf(line: string): CastEvent | undefined {
  try {
    const [interval, code, data]: unknown[] = JSON.parse(line);
    const isEvent = typeof interval === "number" && typeof code === "string" && typeof data === "string";
    return isEvent ? { interval, code, data } : undefined;
  } catch {
    return undefined;
  }
}

/** The text of a raw file without its first `skipped` UTF-16 units, nor a character that is not whole yet. */
async function textFrom(rawPath: string, skipped: number): Promise<string> {
  const decoder = castDecoder();
  const parts: string[] = [];
  let seen = 0;
  await readWritten(rawPath, (chunk) => {
    const text = decoder.decode(chunk, { stream: true });
    const from = Math.min(Math.max(skipped - seen, 0), text.length);
    if (from < text.length) parts.push(text.slice(from));
    seen += text.length;
  });
  return parts.join("");
}
