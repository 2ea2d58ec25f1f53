import { HpsError } from "../../proto/values/hps-error.ts";
import { MAX_SIDE } from "../../proto/values/terminal.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Bytes go through as they are, Ctrl-C too, until it is disposed of. Where hpsctl has no native calls it is Node's raw mode, which
 * alters newlines of the output: lines are right, pictures of programs that move the cursor by them are not.
 */
export async function rawMode({ stdin }: Terminal): Promise<Disposable> {
  const { fd } = stdin;
  if (stdin.isTTY !== true || fd === undefined) return { [Symbol.dispose]: () => undefined };
  const { makeRaw } = await import("./termios.ts");
  try {
    return { [Symbol.dispose]: makeRaw(fd) };
  } catch (error) {
    if (!(error instanceof HpsError) || stdin.setRawMode === undefined) throw error;
    stdin.setRawMode(true);
    return { [Symbol.dispose]: () => stdin.setRawMode?.(false) };
  }
}

/** Size of the terminal's window, as a session can have it; 80 × 24 where it does not tell. */
export function windowSize({ stdout }: Terminal): { readonly rows: number; readonly columns: number } {
  return { rows: within(stdout.rows || 24), columns: within(stdout.columns || 80) };
}

function within(side: number): number {
  return Math.min(side, MAX_SIDE);
}
