import { type ChildProcessByStdio, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** How a program ended; `signal` is 0 unless one killed it, then `code` is 128 + signal. */
export interface ProgramExit {
  readonly code: number;
  readonly signal: number;
}

/** A program with three pipes, leader of its own process session: its id is that of the group and the session. */
export interface RunningCommand {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The program itself has ended; what it started may live on and hold the pipes. Never rejects. */
  readonly exited: Promise<ProgramExit>;
}

export interface CommandPlace {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Starts `argv` as it is, without a shell. `not-found` when there is no such program, `denied` when it cannot be run. */
export async function runCommand(argv: readonly string[], { env, cwd }: CommandPlace): Promise<RunningCommand> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  const exited = exitOf(child);
  const failure = await startOf(child);
  if (failure !== undefined) throw startError(program, failure);
  const { pid = 0, stdin, stdout, stderr } = child;
  // A program that closes its input early is no mistake of ours.
  stdin.on("error", () => undefined);
  return { pid, stdin, stdout, stderr, exited };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function startOf(child: Child): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    child.once("spawn", () => resolve(undefined));
    child.on("error", resolve);
  });
}

function exitOf(child: Child): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, name) => {
      const signal = name === null ? 0 : constants.signals[name];
      resolve({ code: code ?? 128 + signal, signal });
    });
  });
}

function startError(program: string, cause: NodeJS.ErrnoException): HpsError {
  if (cause.code === "ENOENT")
    return new HpsError("not-found", `no program ${quote(program)} on this machine`, { cause });
  const what = `the program ${quote(program)} cannot be run`;
  return new HpsError(cause.code === "EACCES" ? "denied" : "precondition", `${what}: ${cause.code ?? "error"}`, {
    cause,
  });
}
