import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { forkPty } from "../../installer-agent/shell/native-pty.ts";
import { endWithUs } from "../lab/program.ts";

const SIZE = { rows: 24, columns: 80 };
const PATIENCE_MS = 60_000;
const RETRY_MS = 1;
/** Seen again by who waits for words. */
const KEPT = 4096;

/** A program on a terminal, and the person at it: types, and sees what comes. The same for whatever runs there. */
export class TypedTerminal implements AsyncDisposable {
  readonly #fd: number;
  readonly #pid: number;
  readonly #stream: ReadStream;
  readonly #ended = Promise.withResolvers<void>();
  readonly #released: () => void;
  #text = "";
  #bytes = 0;
  #wake: (() => void) | undefined;
  #over = false;

  constructor(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const [file = "", ...args] = argv;
    const { PATH = "", HOME = "/" } = process.env;
    const env = { PATH, HOME, TERM: "xterm", LANG: "C.UTF-8", ...environment };
    const onExit = () => {
      this.#over = true;
      this.#released();
      this.#ended.resolve();
      this.#wake?.();
    };
    const { fd, pid } = forkPty({ file, args, env, cwd: "/", ...SIZE, onExit });
    this.#fd = fd;
    this.#pid = pid;
    this.#released = endWithUs(pid);
    this.#stream = new ReadStream(fd);
    this.#stream.on("error", () => undefined); // EIO, when its last program is gone
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

  /** Resolves when it has shown this, which it then forgets with all before it. */
  async shows(words: string): Promise<void> {
    const timer = setTimeout(() => this.#wake?.(), PATIENCE_MS);
    try {
      for (const until = performance.now() + PATIENCE_MS; ; ) {
        const at = this.#text.indexOf(words);
        if (at >= 0) {
          this.#text = this.#text.slice(at + words.length);
          return;
        }
        if (this.#over || performance.now() >= until) {
          throw new Error(`a terminal does not show ${JSON.stringify(words)}: ${JSON.stringify(this.#text)}`);
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
    if (!this.#over) process.kill(this.#pid, "SIGTERM");
    const timer = setTimeout(() => process.kill(this.#pid, "SIGKILL"), 5000);
    await this.#ended.promise;
    clearTimeout(timer);
    this.#stream.destroy();
  }
}
