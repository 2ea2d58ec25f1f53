/**
 * Many small writes, one fsync: jobs that arrive while a commit runs share the next one. What a job does is in its
 * own savepoint, so one that fails undoes only itself.
 */
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Store } from "./open-store.ts";
import { busyError } from "./store-errors.ts";
import type { Writer } from "./store-handle.ts";
import { misuse } from "./transaction.ts";

export interface GroupCommitOptions {
  /** How long the first job of an idle store waits for company; default 2. */
  readonly maxDelayMs?: number;
  /** Jobs in one transaction; default 256. */
  readonly maxBatch?: number;
  /** Jobs that may wait; default 16 384. */
  readonly maxQueued?: number;
}

export interface GroupCommit<S> {
  /**
   * Resolves when what `job` did is durable. A job may run a second time, alone, when the transaction it shared
   * failed as a whole; so it changes nothing but the store, and tells others through `afterCommit`.
   */
  submit<T>(job: (tx: Writer<S>) => Promise<T>): Promise<T>;
}

interface Job<S> {
  /** Runs the job; gives what to do when the transaction is durable. Never rejects. */
  attempt(tx: Writer<S>): Promise<() => void>;
  reject(error: unknown): void;
}

export function createGroupCommit<S>(store: Store<S>, options: GroupCommitOptions = {}): GroupCommit<S> {
  return new Group(store, { maxDelayMs: 2, maxBatch: 256, maxQueued: 16_384, ...options });
}

class Group<S> implements GroupCommit<S> {
  readonly #store: Store<S>;
  readonly #options: Required<GroupCommitOptions>;
  readonly #queue: Job<S>[] = [];
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Store<S>, options: Required<GroupCommitOptions>) {
    this.#store = store;
    this.#options = options;
  }

  async submit<T>(fn: (tx: Writer<S>) => Promise<T>): Promise<T> {
    if (this.#store.insideTransaction)
      throw misuse("a job was submitted inside a transaction, which it would wait for");
    if (this.#queue.length >= this.#options.maxQueued) throw busyError();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const attempt = async (tx: Writer<S>) => {
      try {
        const value = await tx.savepoint(fn);
        return () => resolve(value);
      } catch (error) {
        return () => reject(error);
      }
    };
    this.#queue.push({ attempt, reject });
    this.#schedule();
    return await promise;
  }

  #schedule(): void {
    if (this.#running) return;
    if (this.#queue.length >= this.#options.maxBatch) void this.#drain();
    else this.#timer ??= setTimeout(() => void this.#drain(), this.#options.maxDelayMs);
  }

  async #drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running) return;
    this.#running = true;
    while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0, this.#options.maxBatch));
    this.#running = false;
  }

  async #commit(batch: readonly Job<S>[]): Promise<void> {
    try {
      const settle = await this.#store.write(async (tx) => {
        const done: (() => void)[] = [];
        for (const job of batch) done.push(await job.attempt(tx));
        return done;
      });
      for (const tell of settle) tell();
    } catch (error) {
      if (batch.length > 1 && mayFareBetterAlone(error)) for (const job of batch) await this.#commit([job]);
      else for (const job of batch) job.reject(error);
    }
  }
}

/** A store that is busy or gone is so for each of them; a transaction spoilt by one job is not. */
function mayFareBetterAlone(error: unknown): boolean {
  return !(error instanceof HpsError && error.code === "unavailable");
}
