/**
 * Reads an AsyncIterable that may never answer, until told to stop. Not Promise.race against one long-lived promise: each
 * race would leave a reaction on it, for as long as the stream lives.
 */
export class SourceReader<T> {
  readonly #iterator: AsyncIterator<T>;
  #wake: (() => void) | undefined;
  #stopped = false;

  constructor(source: AsyncIterable<T>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next item; undefined after the last, or once stopped. Rejects as the source does. Not async: thousands wait here. */
  next(): Promise<{ readonly value: T } | undefined> {
    if (this.#stopped) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      this.#iterator
        .next()
        .then((result) => resolve(result.done === true ? undefined : { value: result.value }), reject);
    });
  }

  /** Ends a waiting `next()` and tells the source; one that ignores it is left behind. */
  stop(): void {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#wake?.();
      this.#close().catch(() => undefined);
    }
  }

  async #close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
