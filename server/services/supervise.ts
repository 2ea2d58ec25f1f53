import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export type ServiceState =
  | { readonly status: "starting" | "running"; readonly pid: number; readonly restarts: number }
  | { readonly status: "restarting" | "failed"; readonly reason: string; readonly restarts: number }
  | { readonly status: "stopped"; readonly restarts: number };

export interface SuperviseOptions {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** A printed line that means it works; without one it counts as running when started. */
  readonly readyLine?: RegExp;
  readonly onLine: (line: string) => void;
  readonly onState: (state: ServiceState) => void;
  /** Pause before the first restart, doubled for each further one up to `maxBackoffMs`; jitter takes up to half of it away. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  /** After so many ends in a row, each less than `stableMs` after its start, it is given up. */
  readonly giveUpAfter?: number;
  readonly stableMs?: number;
  /** How long it may take to end by SIGTERM before its process group is killed. */
  readonly stopMs?: number;
}

/** How it ended by itself the last time. */
export interface ServiceEnd {
  /** UTC milliseconds. */
  readonly at: number;
  /** With the last lines it printed. */
  readonly reason: string;
}

const DEFAULTS = { backoffMs: 500, maxBackoffMs: 30_000, giveUpAfter: 8, stableMs: 10_000, stopMs: 5_000 };
const LINE_LIMIT = 4096;
const LAST_LINES = 5;

/** The pause before restart number `attempt` (from 1): exponential, capped, and jittered so that services do not restart in step. */
export function backoff(attempt: number, options: { backoffMs: number; maxBackoffMs: number }, random: number): number {
  const full = Math.min(options.backoffMs * 2 ** (attempt - 1), options.maxBackoffMs);
  return Math.round(full * (1 - random / 2));
}

/** Keeps one program running: restarts it when it ends, gives up visibly, never leaves it behind. */
export class Service {
  readonly #options: SuperviseOptions & typeof DEFAULTS;
  #state: ServiceState = { status: "stopped", restarts: 0 };
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #quickEnds = 0;
  #restarts = 0;
  #wanted = false;
  #last: string[] = [];
  #lastEnd: ServiceEnd | undefined;

  constructor(options: SuperviseOptions) {
    this.#options = { ...DEFAULTS, ...options };
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Undefined as long as it ended only when told. */
  get lastEnd(): ServiceEnd | undefined {
    return this.#lastEnd;
  }

  /** Starts it, or starts it anew after it was given up. */
  start(): void {
    if (this.#child !== undefined) return;
    clearTimeout(this.#timer);
    this.#wanted = true;
    this.#quickEnds = 0;
    this.#spawn();
  }

  /** Ends it: SIGTERM, then SIGKILL to its whole group after `stopMs`. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child !== undefined) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => killGroup(child), this.#options.stopMs);
      await this.#ended;
      clearTimeout(timer);
    }
    this.#set({ status: "stopped", restarts: this.#restarts });
  }

  /** Sends a signal; false when it does not run now. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  #spawn(): void {
    const { argv, env } = this.#options;
    this.#last = [];
    this.#startedAt = performance.now();
    const child = spawn(argv[0], argv.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // its own group, so that what it starts can be ended with it
      ...(env === undefined ? {} : { env: { ...env } }),
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const finish = (why: string) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.#onEnd(why);
        resolve();
      };
      child.once("error", (error) => finish(`cannot run ${argv[0]}: ${"code" in error ? error.code : "error"}`));
      child.once("close", (code, signal) => {
        killGroup(child);
        finish(signal === null ? `exit ${code}` : `ended by ${signal}`);
      });
      child.once("exit", () => setTimeout(() => killGroup(child), 200)); // a grandchild may hold the pipes open
    });
    for (const stream of [child.stdout, child.stderr]) this.#readLines(stream);
    const pid = child.pid ?? 0;
    const status = this.#options.readyLine === undefined ? "running" : "starting";
    if (child.pid !== undefined) this.#set({ status, pid, restarts: this.#restarts });
  }

  #readLines(stream: Readable): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (whole) => {
      const line = whole.slice(0, LINE_LIMIT);
      this.#last = [...this.#last, line].slice(-LAST_LINES);
      const { status } = this.#state;
      if (status === "starting" && this.#options.readyLine?.test(line))
        this.#set({ ...this.#state, status: "running" });
      this.#options.onLine(line);
    });
  }

  #onEnd(why: string): void {
    if (!this.#wanted) return;
    const { stableMs, giveUpAfter } = this.#options;
    this.#quickEnds = performance.now() - this.#startedAt < stableMs ? this.#quickEnds + 1 : 1;
    const reason = [`${this.#options.name}: ${why}`, ...this.#last].join("\n");
    this.#lastEnd = { at: Date.now(), reason };
    if (this.#quickEnds >= giveUpAfter) {
      this.#wanted = false;
      this.#set({ status: "failed", reason, restarts: this.#restarts });
      return;
    }
    this.#set({ status: "restarting", reason, restarts: this.#restarts });
    const pause = backoff(this.#quickEnds, this.#options, Math.random());
    this.#timer = setTimeout(() => {
      this.#restarts += 1;
      this.#spawn();
    }, pause);
  }

  #set(state: ServiceState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone: what was wanted.
  }
}
