import type { Readable, Writable } from "node:stream";
import type { Environment } from "../../proto/config/overrides.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { InterruptTaker } from "./interrupts.ts";

type Keyboard = Readable & {
  readonly isTTY?: boolean;
  readonly fd?: number;
  readonly setRawMode?: (raw: boolean) => unknown;
};
export type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Where hpsctl runs: all it knows of the world outside. Made by main alone. */
export interface Terminal {
  readonly environment: Environment;
  readonly stdin: Keyboard;
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** Until it is disposed of, the first interrupt goes to `taker` instead. */
  readonly takeInterrupt: (taker: InterruptTaker) => Disposable;
  /** What has to be done when the process ends, however it does: at once, without waiting. Disposed of, it is not done. */
  readonly atExit: (work: () => void) => Disposable;
  /** UTC milliseconds. */
  readonly now: () => number;
}

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2 } as const;
export type Colour = keyof typeof COLOURS;

/** `text`, coloured where that helps a reader: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function paint(terminal: Terminal, screen: Screen, text: string, colour: Colour | undefined): string {
  if (colour === undefined || !usesColour(terminal, screen)) return text;
  return `\x1b[${COLOURS[colour]}m${text}\x1b[0m`;
}

function usesColour({ environment }: Terminal, screen: Screen): boolean {
  return screen.isTTY === true && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
}

/** Resolves when the reader took it. A reader that has gone is the system's own EPIPE error; anything else, a full disk, an HpsError. */
export function write(screen: Screen, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    screen.write(data, (error) => (error ? reject(writeError(error)) : resolve()));
  });
}

function writeError(error: Error): Error {
  const code = "code" in error ? String(error.code) : "";
  if (code === "EPIPE") return error;
  return new HpsError("unavailable", `cannot write the output: ${code}`, { cause: error });
}
