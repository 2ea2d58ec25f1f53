import { once } from "node:events";
import type { Writable } from "node:stream";
import { type ProgramExit, type RunningCommand, runCommand } from "../system/run-command.ts";
import { OutputPump } from "./output-pump.ts";
import { endProcessSession, sendSignal } from "./process-session.ts";
import type { Program } from "./program.ts";
import type { ShellLimits } from "./shell-options.ts";

export interface CommandOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly limits: ShellLimits;
}

/** A command with three pipes, nothing of them altered on the way. Errors as of `runCommand`. */
export async function startCommand({ argv, env, cwd, limits }: CommandOptions): Promise<Program> {
  const command = await runCommand(argv, { env, cwd });
  const pump = new OutputPump([
    { kind: "output", stream: command.stdout },
    { kind: "errorOutput", stream: command.stderr },
  ]);
  return {
    leader: command.pid,
    output: pump.queue,
    exited: flushedExit(command, pump, limits),
    write: async (bytes) => await writeTo(command.stdin, bytes),
    endInput: async () => {
      command.stdin.end();
    },
    resize: () => undefined,
    signal: (signal) => sendSignal(-command.pid, signal),
    close: async () => {
      command.stdin.destroy();
      pump.destroy();
      await endProcessSession(command.pid, limits.graceMs);
    },
  };
}

async function flushedExit(command: RunningCommand, pump: OutputPump, limits: ShellLimits): Promise<ProgramExit> {
  const exit = await command.exited;
  await pump.finish(limits.quietMs);
  return exit;
}

async function writeTo(stdin: Writable, bytes: Uint8Array): Promise<void> {
  if (stdin.destroyed || stdin.writableEnded || stdin.write(bytes)) return;
  const left = new AbortController();
  const { signal } = left;
  // Whichever comes first; a program that has closed its input wants no more of it.
  await Promise.race([once(stdin, "drain", { signal }), once(stdin, "close", { signal })]).catch(() => undefined);
  left.abort();
}
