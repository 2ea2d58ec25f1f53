import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** The name of a terminal in terminfo, as TERM holds it. */
export type TerminalType = Brand<string, "TerminalType">;

/** Of a terminal, in characters. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

const TERMINAL_TYPE = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/;
/** Of a window, in characters. */
export const MAX_SIDE = 1000;
/** Of Linux: 1 to 64. */
const MAX_SIGNAL = 64;

/** Reads a TERM: letters, digits, `+._-`, at most 64. It becomes a file name below terminfo, so nothing else. */
export function parseTerminalType(text: string): TerminalType {
  if (!TERMINAL_TYPE.test(text)) {
    throw new HpsError("invalid", `not a terminal type: ${quote(text)}`, { hint: "write it as xterm-256color" });
  }
  return branded<"TerminalType", string>(text);
}

/** 1 to 1000 each. */
export function parseWindowSize({ rows, columns }: WindowSize): WindowSize {
  for (const [what, side] of Object.entries({ rows, columns })) {
    if (!Number.isInteger(side) || side < 1 || side > MAX_SIDE) {
      throw new HpsError("invalid", `a terminal cannot have ${side} ${what}: 1 to ${MAX_SIDE}`);
    }
  }
  return { rows, columns };
}

/** A signal by its number on Linux. */
export function parseSignal(signal: number): number {
  if (!Number.isInteger(signal) || signal < 1 || signal > MAX_SIGNAL) {
    throw new HpsError("invalid", `no signal ${signal}: 1 to ${MAX_SIGNAL}`);
  }
  return signal;
}
