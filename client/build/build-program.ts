import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Environment } from "../../proto/config/overrides.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

export interface BuildProgram {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Hears each line of standard error. */
  readonly onLine: (line: string) => void;
  /** Takes standard output while the program runs. */
  readonly output: (stdout: Readable) => Promise<void>;
  /** Makes the error of a program that failed: with how it ended, and its last lines. */
  readonly failure: (status: string, lines: readonly string[]) => HpsError;
  /** Debian package that brings the program. */
  readonly package: string;
}

/** A program of the build that prints nothing for so long hangs. */
const SILENCE_MS = 600_000;
/** How long it may take to clean up after it was told to stop. */
const STOP_MS = 60_000;
const KEPT_LINES = 200;

/** Runs one program to its end; rejects with its failure, when it hangs, and when interrupted, never while it still runs. */
export async function runBuildProgram(order: BuildProgram): Promise<void> {
  const { argv, environment, signal, output } = order;
  if (signal.aborted) throw interrupted();
  const [command, ...args] = argv;
  // A group of its own: what an interrupt on the terminal would end at once, cleans up after itself when we tell it.
  const child = spawn(command, args, { env: environment, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const stop = new Stop(child.pid);
  const onAbort = () => stop.now("interrupted");
  signal.addEventListener("abort", onAbort, { once: true });
  const kept: string[] = [];
  const hear = (line: string) => {
    stop.heard();
    kept.push(line);
    if (kept.length > KEPT_LINES) kept.shift();
    order.onLine(line);
  };
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", (error) => reject(cannotStart(order, error)));
    child.once("close", (code, by) => resolve(code === 0 ? "" : (by ?? `exit code ${code}`)));
  });
  const taken = output(child.stdout).catch((error: unknown) => {
    stop.now("output");
    throw error;
  });
  try {
    const [status] = await Promise.allSettled([ended, readLines(child.stderr, hear)]);
    const [written] = await Promise.allSettled([taken]);
    if (status.status === "rejected") throw status.reason;
    if (stop.reason === "interrupted") throw interrupted();
    if (stop.reason === "silent")
      throw new HpsError("deadline", `${command} printed nothing for ${SILENCE_MS / 60_000} minutes`);
    if (written.status === "rejected") throw written.reason;
    if (status.value !== "") throw order.failure(status.value, kept);
  } finally {
    signal.removeEventListener("abort", onAbort);
    stop[Symbol.dispose]();
  }
}

/** What whoever interrupts a build is told. */
export function interrupted(): HpsError {
  return new HpsError("cancelled", "interrupted; nothing was written");
}

/** Ends a program, once, for the first reason given; kills what does not end. */
class Stop implements Disposable {
  readonly #pid: number | undefined;
  #silence: NodeJS.Timeout;
  #kill: NodeJS.Timeout | undefined;
  reason: "interrupted" | "silent" | "output" | undefined;

  constructor(pid: number | undefined) {
    this.#pid = pid;
    this.#silence = setTimeout(() => this.now("silent"), SILENCE_MS);
  }

  heard(): void {
    this.#silence.refresh();
  }

  now(reason: "interrupted" | "silent" | "output"): void {
    if (this.reason !== undefined || this.#pid === undefined) return;
    this.reason = reason;
    this.#send("SIGTERM");
    this.#kill = setTimeout(() => this.#send("SIGKILL"), STOP_MS);
  }

  #send(signal: NodeJS.Signals): void {
    try {
      if (this.#pid !== undefined) process.kill(-this.#pid, signal);
    } catch {
      // It has ended by itself.
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#kill);
  }
}

function cannotStart({ argv, package: name }: BuildProgram, cause: Error): HpsError {
  const missing = "code" in cause && cause.code === "ENOENT";
  return missing
    ? new HpsError("precondition", `${argv[0]} is not installed`, { hint: `apt-get install ${name}`, cause })
    : new HpsError("internal", `cannot start ${argv[0]}`, { cause });
}

async function readLines(stream: Readable, hear: (line: string) => void): Promise<void> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const text of stream) {
    const lines = `${rest}${text}`.split(/[\r\n]/);
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") hear(line);
  }
  if (rest !== "") hear(rest);
}
