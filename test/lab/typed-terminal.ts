import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { forkPty } from "../../installer-agent/shell/native-pty.ts";
import { endWithUs } from "./program.ts";

const SIZE = { rows: 24, columns: 80 };
const PATIENCE_MS = 30_000;
const RETRY_MS = 1;
const LAST_MS = 500;
/** By an error. */
const TOLD = 400;
/** Seen again by who waits for words. */
const KEPT = 4096;

/** A program on a terminal, and the person at it: types, and sees what comes. The same for whatever runs there. */
export class TypedTerminal implements AsyncDisposable {
  readonly #fd: number;
  readonly #pid: number;
  readonly #stream: ReadStream;
  readonly #ended = Promise.withResolvers<number>();
  readonly #released: () => void;
  #text = "";
  #bytes = 0;
  #wake: (() => void) | undefined;
  #exited = false;
  #over = false;

  constructor(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const [file = "", ...args] = argv;
    const { PATH = "", HOME = "/" } = process.env;
    const env = { PATH, HOME, TERM: "xterm", LANG: "C.UTF-8", ...environment };
    const onExit = (code: number, signal: number) => {
      this.#exited = true;
      this.#released();
      this.#ended.resolve(signal === 0 ? code : 128 + signal);
      // What it wrote last may still come, and what it left behind may hold the terminal.
      setTimeout(() => this.#end(), LAST_MS).unref();
    };
    const { fd, pid } = forkPty({ file, args, env, cwd: "/", ...SIZE, onExit });
    this.#fd = fd;
    this.#pid = pid;
    this.#released = endWithUs(pid);
    this.#stream = new ReadStream(fd);
    this.#stream.on("error", () => undefined); // EIO, when its last program is gone
    this.#stream.on("close", () => this.#end());
    this.#stream.on("data", (chunk: Buffer) => {
      this.#bytes += chunk.length;
      this.#text = (this.#text + chunk.toString("latin1")).slice(-KEPT);
      this.#wake?.();
    });
  }

  /** Bytes it has shown so far. */
  get bytes(): number {
    return this.#bytes;
  }

  async type(text: string): Promise<void> {
    for (let rest = Buffer.from(text); rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /** The exit code; when a signal ended it, 128 and the signal's number. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  get pid(): number {
    return this.#pid;
  }

  /** Resolves when it has shown this, which it then forgets with all before it. */
  async shows(words: string | RegExp, limitMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const pattern = typeof words === "string" ? new RegExp(RegExp.escape(words)) : words;
    const timer = setTimeout(() => this.#wake?.(), limitMs);
    try {
      for (const until = performance.now() + limitMs; ; ) {
        const found = pattern.exec(this.#text);
        if (found !== null) {
          this.#text = this.#text.slice(found.index + found[0].length);
          return found;
        }
        if (this.#over || performance.now() >= until) {
          throw new Error(`a terminal does not show ${pattern}: ${JSON.stringify(this.#text.slice(-TOLD))}`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Types a key, which is shown as it is; milliseconds until it is. */
  async echo(key: string): Promise<number> {
    this.#text = "";
    const begin = performance.now();
    await this.type(key);
    while (this.#text === "" && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return performance.now() - begin;
  }

  /** Hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) process.kill(this.#pid, "SIGTERM");
    const timer = setTimeout(() => process.kill(this.#pid, "SIGKILL"), 5000);
    await this.#ended.promise;
    clearTimeout(timer);
    this.#stream.destroy();
  }

  #end(): void {
    this.#over = true;
    this.#wake?.();
  }
}
