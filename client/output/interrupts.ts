/** What asks a program to end. */
export type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Is given the first of them in the place of the command's end. */
export type InterruptTaker = (signal: InterruptSignal) => void;

/**
 * Signals that ask hpsctl to end, in the order they come: the first goes to whoever has asked for it, the next ends the command
 * in good order, one more ends it at once. A lost terminal (SIGHUP) is never passed on: there is nobody left.
 */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #endNow: () => void;
  #taker: InterruptTaker | undefined;

  constructor(endNow: () => void) {
    this.#endNow = endNow;
  }

  /** Aborted when the command is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  arrived(signal: InterruptSignal): void {
    const taker = signal === "SIGHUP" ? undefined : this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) taker(signal);
    else if (this.signal.aborted) this.#endNow();
    else this.#controller.abort();
  }

  /** Until it is disposed of, the next one goes to `taker`, once. */
  readonly take = (taker: InterruptTaker): Disposable => {
    this.#taker = taker;
    return {
      [Symbol.dispose]: () => {
        if (this.#taker === taker) this.#taker = undefined;
      },
    };
  };
}
