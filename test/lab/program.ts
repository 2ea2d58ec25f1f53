import { spawn } from "node:child_process";
import { HpsError } from "../../proto/values/hps-error.ts";
import { inNamespace, killGroup } from "./run.ts";

export interface ProgramOptions {
  readonly argv: readonly string[];
  readonly ns?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program counts as started when it has printed a line that matches; at once when absent. */
  readonly readyLine?: RegExp;
  readonly readyMs?: number;
  /** Hears all it prints, as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface Program {
  readonly pid: number;
  /** Everything printed so far, both streams in order of arrival. */
  output(): string;
  /** Waits until the whole output matches; throws with that output when the program ends first or after `timeoutMs`. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Resolves with the exit code (128 when a signal ended it). */
  readonly ended: Promise<number>;
  /** Sends the signal, waits up to `limitMs`, then kills the whole process group. Resolves with the exit code. */
  stop(signal?: NodeJS.Signals, limitMs?: number): Promise<number>;
}

const running = new Set<number>();
process.on("exit", () => {
  for (const pid of running) killGroup(pid, "SIGKILL");
});

/** Kills this process group with our orderly end. Call what it returns when the group is gone. */
export function endWithUs(pid: number): () => void {
  if (pid > 0) running.add(pid);
  return () => void running.delete(pid);
}

/** Starts a long-running program (hpsd, an agent) in its own process group; never outlives this process's orderly end. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const [command = "", ...args] = inNamespace(options.ns, options.argv);
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let text = "";
  const changed = new Set<() => void>();
  const grow = (chunk: Buffer) => {
    text += chunk.toString();
    options.onOutput?.(chunk.toString());
    for (const look of [...changed]) look();
  };
  child.stdout.on("data", grow);
  child.stderr.on("data", grow);
  const pid = child.pid ?? -1;
  const released = endWithUs(pid);
  let over = false;
  const ended = new Promise<number>((resolve) => {
    const finish = (code: number) => {
      over = true;
      released();
      resolve(code);
      for (const look of [...changed]) look();
    };
    child.once("error", () => finish(127));
    child.once("close", (code) => finish(code ?? 128));
  });

  const waitFor = (pattern: RegExp, timeoutMs = 30_000) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        changed.delete(look);
        act();
      };
      const fail = (why: string) =>
        settle(() => reject(new HpsError("deadline", `${options.argv.join(" ")}: ${why} ${pattern}:\n${text}`)));
      const look = () => {
        const match = pattern.exec(text);
        if (match !== null) settle(() => resolve(match));
        else if (over) fail("ended without printing");
      };
      const timer = setTimeout(() => fail("did not print in time"), timeoutMs);
      changed.add(look);
      look();
    });

  const stop = async (signal: NodeJS.Signals = "SIGTERM", limitMs = 10_000) => {
    if (!over) process.kill(pid, signal);
    const timer = setTimeout(() => killGroup(pid, "SIGKILL"), limitMs);
    const code = await ended;
    clearTimeout(timer);
    killGroup(pid, "SIGKILL"); // what it left behind in its group
    return code;
  };

  const program: Program = { pid, output: () => text, waitFor, ended, stop };
  if (options.readyLine !== undefined) {
    try {
      await waitFor(options.readyLine, options.readyMs ?? 30_000);
    } catch (error) {
      await stop("SIGKILL");
      throw error;
    }
  }
  return program;
}
