/** A few things that are lent to one borrower each, in the order asked, with a limit on the line and on the wait. */
import { busyError } from "./store-errors.ts";

export interface SlotLimits {
  readonly maxQueued: number;
  readonly maxWaitMs: number;
}

interface Waiting<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class Slots<T> {
  readonly #limits: SlotLimits;
  readonly #size: number;
  readonly #free: T[];
  readonly #waiting = new Set<Waiting<T>>();
  readonly #idle: (() => void)[] = [];

  constructor(items: readonly T[], limits: SlotLimits) {
    this.#free = [...items];
    this.#size = items.length;
    this.#limits = limits;
  }

  /** Lends one to `fn` and takes it back. Rejects with "the store is busy" when the line or the wait is too long. */
  async use<R>(fn: (item: T) => Promise<R>): Promise<R> {
    const item = this.#free.pop() ?? (await this.#wait());
    try {
      return await fn(item);
    } finally {
      this.#giveBack(item);
    }
  }

  /** Resolves when nothing is lent and nobody waits. */
  async idle(): Promise<void> {
    if (this.#free.length === this.#size) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #wait(): Promise<T> {
    if (this.#waiting.size >= this.#limits.maxQueued) return Promise.reject(busyError());
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(busyError());
      }, this.#limits.maxWaitMs);
      const waiting = { resolve, reject, timer };
      this.#waiting.add(waiting);
    });
  }

  #giveBack(item: T): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      clearTimeout(next.timer);
      next.resolve(item);
      return;
    }
    this.#free.push(item);
    if (this.#free.length === this.#size) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
