/** Wakes those that wait for something new, and misses none: who looks first and waits then is told of what came between. */
export class Wakes {
  readonly #waiting = new Set<() => void>();
  #count = 0;

  /** How often there was something new. */
  get count(): number {
    return this.#count;
  }

  wake(): void {
    this.#count += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the first wake after `seen`, which may have been already, or at `signal`. */
  next(seen: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || seen !== this.#count) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }
}
