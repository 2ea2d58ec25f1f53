/** Items that may wait for one commit to end; a stream is not read while more do. */
export interface IntakeLimits {
  readonly bytes: number;
  readonly items: number;
}

export interface IntakeOptions<T> {
  readonly limits: IntakeLimits;
  /** Stores a batch, durably; one at a time. */
  readonly commit: (items: readonly T[]) => Promise<void>;
  /** Called once, when a commit failed; nothing is committed after that. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Between a stream and the store: while one batch is committed the next gathers, and whoever offers more than may wait
 * waits itself. So a flood is slowed down at its source, in bounded memory.
 */
export class Intake<T extends { readonly size: number }> {
  readonly #options: IntakeOptions<T>;
  #waiting: T[] = [];
  #bytes = 0;
  #items = 0;
  #running: Promise<void> | undefined;
  #failed = false;

  constructor(options: IntakeOptions<T>) {
    this.#options = options;
  }

  /** Resolves when there is room for another; at once after a failure. */
  async offer(item: T): Promise<void> {
    if (this.#failed) return;
    this.#waiting.push(item);
    this.#bytes += item.size;
    this.#items += 1;
    const { bytes, items } = this.#options.limits;
    this.#running ??= this.#run();
    while (!this.#failed && (this.#bytes > bytes || this.#items > items)) await this.#batchDone.promise;
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.#running;
  }

  #batchDone = Promise.withResolvers<void>();

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#failed) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#commit(batch);
      this.#bytes -= batch.reduce((sum, { size }) => sum + size, 0);
      this.#items -= batch.length;
      this.#batchDone.resolve();
      this.#batchDone = Promise.withResolvers<void>();
    }
    this.#running = undefined;
  }

  async #commit(batch: readonly T[]): Promise<void> {
    try {
      await this.#options.commit(batch);
    } catch (error) {
      this.#failed = true;
      this.#waiting = [];
      this.#options.onFailure(error);
    }
  }
}
