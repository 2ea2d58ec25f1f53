import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OpenSessionRequestSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { windowSize } from "../output/raw-terminal.ts";
import type { Terminal } from "../output/terminal.ts";

type Request = MessageInitShape<typeof OpenSessionRequestSchema>;

/** Keys wait here while the network is slow; beyond this many chunks standard input is not read on. */
const WAITING_LIMIT = 8;

/** Bytes in one message. */
const PIECE = 65_536;

export interface ShellInputOptions {
  readonly first: Request;
  /** Also tell of the window's size. */
  readonly interactive: boolean;
  /** False: the input ends at once. */
  readonly stdin: boolean;
}

/** What goes up in a shell session: the start, then bytes and window sizes as they come. Read once; left, it lets go of the terminal. */
export class ShellInput implements AsyncIterableIterator<Request> {
  readonly #terminal: Terminal;
  readonly #options: ShellInputOptions;
  readonly #waiting: Request[];
  #wake: (() => void) | undefined;
  #over = false;

  constructor(terminal: Terminal, options: ShellInputOptions) {
    this.#terminal = terminal;
    this.#options = options;
    this.#waiting = [options.first];
    this.#listen();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Request, undefined>> {
    for (;;) {
      const value = this.#waiting.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#over) return { done: true, value: undefined };
      if (this.#options.stdin) this.#terminal.stdin.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<Request, undefined>> {
    this.#over = true;
    const { stdin, stdout } = this.#terminal;
    stdin.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onEnd);
    stdout.off("resize", this.#onResize);
    stdin.pause();
    this.#wake?.();
    return { done: true, value: undefined };
  }

  #listen(): void {
    const { stdin, stdout } = this.#terminal;
    if (this.#options.interactive) stdout.on("resize", this.#onResize);
    if (!this.#options.stdin || stdin.readableEnded || stdin.destroyed) {
      this.#onEnd();
      return;
    }
    stdin.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onEnd);
    stdin.pause();
  }

  readonly #onData = (data: Buffer | string): void => {
    const value = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < value.length; at += PIECE) {
      this.#push({ message: { case: "input", value: new Uint8Array(value.subarray(at, at + PIECE)) } });
    }
    if (this.#waiting.length >= WAITING_LIMIT) this.#terminal.stdin.pause();
  };

  /** The stream stays open after it: window sizes still come. */
  readonly #onEnd = (): void => this.#push({ message: { case: "endOfInput", value: {} } });

  readonly #onResize = (): void => this.#push({ message: { case: "window", value: windowSize(this.#terminal) } });

  #push(request: Request): void {
    this.#waiting.push(request);
    this.#wake?.();
  }
}
