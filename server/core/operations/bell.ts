/**
 * Wakes those who follow one operation, once what they follow is durable. Not the change feed: progress is too frequent
 * for a feed that wakes every watcher of everything.
 */
export class Bell {
  readonly #ears = new Map<string, Set<Ear>>();

  ring(id: string): void {
    for (const ear of this.#ears.get(id) ?? []) ear.hear();
  }

  /** Listen before reading: what changes after that is not slept through. Close it in the end. */
  listen(id: string): Ear {
    const ears = this.#ears.get(id) ?? new Set();
    const ear = new Ear(() => {
      ears.delete(ear);
      if (ears.size === 0 && this.#ears.get(id) === ears) this.#ears.delete(id);
    });
    ears.add(ear);
    this.#ears.set(id, ears);
    return ear;
  }
}

export class Ear {
  readonly #onClose: () => void;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  hear(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when the bell rang since the last call, or at the signal. One call at a time. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const abort = () => resolve();
      signal.addEventListener("abort", abort);
      await promise;
      signal.removeEventListener("abort", abort);
    }
    this.#rung = false;
  }

  close(): void {
    this.#onClose();
  }
}
