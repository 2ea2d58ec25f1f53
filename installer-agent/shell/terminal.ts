import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { ProgramExit } from "../system/run-command.ts";
import { forkPty, resizePty } from "./native-pty.ts";
import { OutputPump } from "./output-pump.ts";
import { endProcessSession, foregroundGroup, sendSignal } from "./process-session.ts";
import type { Program } from "./program.ts";
import type { ShellLimits } from "./shell-options.ts";

export interface TerminalOptions {
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** TERM among it. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly size: WindowSize;
  readonly limits: ShellLimits;
}

/** What is read of a terminal before it is taken. */
export const TERMINAL_READ_AHEAD = 16 * 1024;

/** Ctrl-D: what the end of input is on a terminal. */
const END_OF_TRANSMISSION = Uint8Array.of(4);
/** Between tries to write to a program that does not read. */
const RETRY_MS = { first: 1, longest: 50 };

/** Starts a program on a terminal that has its size before the first byte. */
export function openTerminal(options: TerminalOptions): Program {
  return new Terminal(options);
}

class Terminal implements Program {
  readonly exited: Promise<ProgramExit>;
  readonly #limits: ShellLimits;
  readonly #fd: number;
  readonly #pid: number;
  readonly #pump: OutputPump;
  #closed = false;

  constructor({ argv, env, cwd, size, limits }: TerminalOptions) {
    const [file = "", ...args] = argv;
    const exit = Promise.withResolvers<ProgramExit>();
    const onExit = (code: number, signal: number) =>
      exit.resolve(signal === 0 ? { code, signal } : { code: 128 + signal, signal });
    const { fd, pid } = forkPty({ file, args, env, cwd, ...size, onExit });
    this.#limits = limits;
    this.#fd = fd;
    this.#pid = pid;
    const stream = new ReadStream(fd);
    // The descriptor may be another's as soon as the stream is closed.
    stream.once("close", () => {
      this.#closed = true;
    });
    this.#pump = new OutputPump([{ kind: "output", stream }], TERMINAL_READ_AHEAD);
    this.exited = this.#flushed(exit.promise);
  }

  get leader(): number {
    return this.#pid;
  }

  get output(): OutputPump["queue"] {
    return this.#pump.queue;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    for (let pause = RETRY_MS.first; offset < bytes.length && !this.#closed; ) {
      const written = this.#tryWrite(bytes.subarray(offset));
      offset += written;
      if (written > 0) {
        pause = RETRY_MS.first;
      } else {
        await delay(pause);
        pause = Math.min(2 * pause, RETRY_MS.longest);
      }
    }
  }

  async endInput(): Promise<void> {
    await this.write(END_OF_TRANSMISSION);
  }

  resize({ rows, columns }: WindowSize): void {
    if (this.#closed) return;
    try {
      resizePty(this.#fd, rows, columns);
    } catch {
      // The program has just ended: no window is left to resize.
    }
  }

  signal(signal: number): void {
    void foregroundGroup(this.#pid).then((group) => sendSignal(-group, signal));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await endProcessSession(this.#pid, this.#limits.graceMs);
    this.#pump.destroy();
  }

  async #flushed(exit: Promise<ProgramExit>): Promise<ProgramExit> {
    const how = await exit;
    await this.#pump.finish(this.#limits.quietMs);
    return how;
  }

  /** How many bytes were taken; 0 when the program does not read. Never blocks: the terminal is opened non-blocking. */
  #tryWrite(bytes: Uint8Array): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
      this.#closed = true;
      return 0;
    }
  }
}
