import type { Terminal } from "../output/terminal.ts";

export interface InputTaker {
  /** The next piece comes when it has resolved. */
  readonly data: (bytes: Uint8Array) => Promise<void>;
  /** After the last piece is taken. */
  readonly end: () => void;
}

/** Standard input, read as fast as it is taken. Disposed of, it lets go of it. */
export class InputPump implements Disposable {
  readonly #stdin: Terminal["stdin"];
  readonly #taker: InputTaker;
  /** The piece that is being taken. */
  #taking: Promise<void> = Promise.resolve();
  #over = false;

  constructor({ stdin }: Terminal, taker: InputTaker) {
    this.#stdin = stdin;
    this.#taker = taker;
    if (stdin.readableEnded || stdin.destroyed) {
      taker.end();
      return;
    }
    stdin.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onEnd);
    stdin.resume();
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#stdin.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onEnd);
    this.#stdin.pause();
  }

  readonly #onData = (data: Buffer | string): void => {
    this.#stdin.pause();
    this.#taking = this.#take(typeof data === "string" ? Buffer.from(data) : data);
  };

  async #take(data: Uint8Array): Promise<void> {
    await this.#taking;
    await this.#taker.data(data);
    if (!this.#over) this.#stdin.resume();
  }

  readonly #onEnd = (): void => {
    void this.#taking.then(() => {
      if (!this.#over) this.#taker.end();
    });
  };
}
