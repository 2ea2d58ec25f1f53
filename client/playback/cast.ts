import { HpsError } from "../../proto/values/hps-error.ts";

/** What a cast begins with. */
export interface CastHeader {
  readonly rows: number;
  readonly columns: number;
}

export interface CastEvent {
  /** Milliseconds since the event before. */
  readonly interval: number;
  /** `o` output, `i` input, `r` resize, `m` marker, `x` exit. */
  readonly code: string;
  readonly data: string;
}

/** Of a recording that is not as hpsd writes it. */
export const LOOK = "hpsctl session verify says whether it was altered, session export --part raw gives what was shown";

/** The first line of an asciicast v3. */
export function parseCastHeader(line: string): CastHeader {
  const header = jsonOf(line);
  const isObject = typeof header === "object" && header !== null;
  if (!isObject || !("version" in header) || header.version !== 3 || !("term" in header)) {
    throw new HpsError("data-loss", "this is no asciicast v3: its first line does not say so", { hint: LOOK });
  }
  const { term } = header;
  const size = (name: "rows" | "cols") => {
    const value = typeof term === "object" && term !== null && name in term ? Reflect.get(term, name) : undefined;
    return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
  };
  return { rows: size("rows"), columns: size("cols") };
}

/** Any other line; undefined for a comment and an empty one. */
export function parseCastEvent(line: string): CastEvent | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const event = jsonOf(line);
  const [interval, code, data]: readonly unknown[] = Array.isArray(event) ? event : [];
  const isEvent = isInterval(interval) && typeof code === "string" && typeof data === "string";
  if (!isEvent) throw new HpsError("data-loss", "a line of the recording is no event of a cast", { hint: LOOK });
  return { interval: interval * 1000, code, data };
}

/** No session lasts longer than a thousand years. */
function isInterval(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < 3.2e10;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
