import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { type OutputPipes, openOutputPipes } from "./pipes.ts";

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

/** Starts `argv` as it is, without a shell. `not-found` when there is no such program, else `denied` or `precondition`. */
export async function runCommand(argv: readonly string[], place: CommandPlace): Promise<RunningCommand> {
  // Without mkfifo Node's own socket pairs have to do: bytes pass as well, only /dev/stdout and /dev/stderr do not open.
  const pipes = await openOutputPipes().catch(() => undefined);
  try {
    const child = await startChild(argv, place, pipes);
    const exited = exitOf(child);
    const { pid, stdin } = child;
    const { stdout, stderr } = pipes ?? child;
    if (pid === undefined || stdin === null || stdout === null || stderr === null) throw new Error("no process");
    // A program that closes its input early is no mistake of ours.
    stdin.on("error", () => undefined);
    return { pid, stdin, stdout, stderr, exited };
  } catch (cause) {
    for (const stream of [pipes?.stdout, pipes?.stderr]) stream?.destroy();
    throw startError(argv[0] ?? "", cause);
  }
}

/** Node tells some reasons why a program does not start by throwing, others by an event. */
async function startChild(
  [program = "", ...args]: readonly string[],
  { env, cwd }: CommandPlace,
  pipes: OutputPipes | undefined,
): Promise<ChildProcess> {
  try {
    const stdio: StdioOptions = pipes === undefined ? "pipe" : ["pipe", ...pipes.theirs];
    const child = spawn(program, args, { cwd, env, detached: true, stdio });
    const started = Promise.withResolvers<void>();
    child.once("spawn", started.resolve);
    child.on("error", started.reject);
    await started.promise;
    return child;
  } finally {
    for (const fd of pipes?.theirs ?? []) closeSync(fd);
  }
}

function exitOf(child: ChildProcess): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, name) => {
      const signal = name === null ? 0 : constants.signals[name];
      resolve({ code: code ?? 128 + signal, signal });
    });
  });
}

function startError(program: string, cause: unknown): HpsError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "no process";
  if (code === "ENOENT") return new HpsError("not-found", `no program ${quote(program)} on this machine`, { cause });
  const what = `the program ${quote(program)} cannot be run`;
  return new HpsError(code === "EACCES" ? "denied" : "precondition", `${what}: ${code}`, { cause });
}
