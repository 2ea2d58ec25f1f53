/** A time that something is given to come back. */
export class Hold {
  readonly #ms: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onOver: () => void) {
    this.#ms = ms;
    this.#onOver = onOver;
  }

  /** It is gone; the time of one that is gone already goes on. */
  begin(): void {
    this.#timer ??= setTimeout(this.#onOver, this.#ms).unref();
  }

  /** It is back, or no longer waited for. */
  release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
