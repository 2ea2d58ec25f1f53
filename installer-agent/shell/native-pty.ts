/**
 * The native half of node-pty, without its JavaScript. That one destroys the terminal 200 ms after the program's exit,
 * so output a slow reader has not taken is lost; its writes queue without bound and spin while the program does not read.
 */
import { closeSync } from "node:fs";
import { createRequire } from "node:module";
import { closeOnExec } from "../../proto/tree/native/files.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

declare module "node-pty" {
  /** Exported by node-pty but not in its types; `master` is non-blocking. */
  export const native: {
    fork(
      file: string,
      args: readonly string[],
      env: readonly string[],
      cwd: string,
      columns: number,
      rows: number,
      uid: number,
      gid: number,
      utf8: boolean,
      helperPath: string,
      onExit: (code: number, signal: number) => void,
    ): { readonly fd: number; readonly pid: number };
    resize(fd: number, columns: number, rows: number): void;
  };
}

/** What an agent away from its packages has beside it. */
const NATIVE_FILE = "./pty.node";

const fromHere = createRequire(import.meta.url);

type Pty = Pick<typeof import("node-pty"), "native"> | { readonly native: undefined; readonly cause: unknown };

// An optional package: where it could not be built, the agent does all but open terminals.
const pty = loadPty();

function loadPty(): Pty {
  try {
    return fromHere("node-pty");
  } catch (cause) {
    try {
      return { native: fromHere(NATIVE_FILE) };
    } catch {
      return { native: undefined, cause };
    }
  }
}

function nativePty() {
  if (pty.native !== undefined) return pty.native;
  throw new HpsError("unavailable", "this agent was installed without terminals", {
    hint: "run a command instead, or install the package node-pty beside it",
    cause: "cause" in pty ? pty.cause : undefined,
  });
}

/** Keeps the ids of this process. */
const SAME = -1;

export interface ForkOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly rows: number;
  readonly columns: number;
  readonly onExit: (code: number, signal: number) => void;
}

/** Starts a program as leader of a new process session on a new terminal; gives the terminal's other end. `unavailable` when there is none. */
export function forkPty(options: ForkOptions): { readonly fd: number; readonly pid: number } {
  const { file, args, cwd, rows, columns, onExit } = options;
  const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const native = nativePty();
  let terminal: { readonly fd: number; readonly pid: number };
  try {
    terminal = native.fork(file, args, env, cwd, columns, rows, SAME, SAME, true, "", onExit);
  } catch (cause) {
    throw new HpsError("unavailable", "this machine gives no terminal", { hint: "is /dev/pts mounted?", cause });
  }
  keepToOurselves(terminal.fd);
  return terminal;
}

/** Whatever is started later could else read and type in this session, and would hold its terminal open. */
function keepToOurselves(fd: number): void {
  try {
    closeOnExec(fd);
  } catch (cause) {
    closeSync(fd); // which hangs up on the program
    throw new HpsError("unavailable", "this machine gives no terminal of one's own", { cause });
  }
}

export function resizePty(fd: number, rows: number, columns: number): void {
  nativePty().resize(fd, columns, rows);
}
