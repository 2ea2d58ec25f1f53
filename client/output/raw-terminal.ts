import { type Terminal, write } from "./terminal.ts";

/** Keys go through as they are, Ctrl-C too, until `restore`. */
export function rawMode({ stdin }: Terminal): { readonly restore: () => void } {
  stdin.setRawMode?.(true);
  return {
    restore: () => {
      stdin.setRawMode?.(false);
      stdin.pause();
    },
  };
}

/** Size of the terminal's window; 80 × 24 where it does not tell. */
export function windowSize({ stdout }: Terminal): { readonly rows: number; readonly columns: number } {
  return { rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 };
}

/** Leaves the other screen, shows the cursor, ends mouse reports, bracketed paste and colours: what a program cut off leaves on. */
const CALM = [
  "\x1b[?1049l", // the other screen
  "\x1b[?1l\x1b>", // application keys
  "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l", // mouse
  "\x1b[?2004l", // bracketed paste
  "\x1b[?25h\x1b[0m\r\n",
].join("");

/** For a session that was cut off. Goes to stderr: stdout is the session's. */
export async function calmScreen({ stderr }: Terminal): Promise<void> {
  if (stderr.isTTY === true) await write(stderr, CALM);
}
