/**
 * Many small writes, one fsync: jobs that arrive while a commit runs share the next one, and those that have nothing to do
 * with each other run at one time, so that they share messages to the store's thread too. When that fails they run one
 * after the other, each in a savepoint of its own, so that one that fails undoes only itself.
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
   * `subject`: what it reads and writes belongs to this alone; it may run while jobs of other subjects do.
   */
  submit<T>(job: (tx: Writer<S>) => Promise<T>, subject?: string): Promise<T>;
}

interface Job<S> {
  readonly subject: string | undefined;
  /** Runs the job; gives what to do when the transaction is durable. Rejects as the job does. */
  run(tx: Writer<S>): Promise<() => void>;
  /** The same in a savepoint. Never rejects: a failure is then what there is to tell. */
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

  async submit<T>(fn: (tx: Writer<S>) => Promise<T>, subject?: string): Promise<T> {
    if (this.#store.insideTransaction)
      throw misuse("a job was submitted inside a transaction, which it would wait for");
    if (this.#queue.length >= this.#options.maxQueued) throw busyError();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = async (tx: Writer<S>) => {
      const value = await fn(tx);
      return () => resolve(value);
    };
    const attempt = async (tx: Writer<S>) => {
      try {
        return await tx.savepoint(run);
      } catch (error) {
        return () => reject(error);
      }
    };
    this.#queue.push({ subject, run, attempt, reject });
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

  async #commit(batch: readonly Job<S>[], together = true): Promise<void> {
    const [abreast, after] = together ? divide(batch) : [[], batch];
    try {
      const settle = await this.#store.write(async (tx) => {
        const done = await all(abreast.map((job) => job.run(tx)));
        for (const job of after) done.push(await job.attempt(tx));
        return done;
      });
      for (const tell of settle) tell();
    } catch (error) {
      if (abreast.length > 0 && mayFareBetterAlone(error)) await this.#commit(batch, false);
      else if (batch.length > 1 && mayFareBetterAlone(error)) for (const job of batch) await this.#commit([job], false);
      else for (const job of batch) job.reject(error);
    }
  }
}

/** Jobs of different subjects, which may run at one time, and the rest. */
function divide<S>(batch: readonly Job<S>[]): [Job<S>[], Job<S>[]] {
  const first = new Map<string, Job<S>>();
  for (const job of batch) if (job.subject !== undefined && !first.has(job.subject)) first.set(job.subject, job);
  const abreast = new Set(first.values());
  return [[...abreast], batch.filter((job) => !abreast.has(job))];
}

/** The results of all, when none runs any more; rejects with the first failure. */
async function all<T>(running: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(running);
  return await Promise.all(running);
}

/** A store that is busy or gone is so for each of them; a transaction spoilt by one job is not. */
function mayFareBetterAlone(error: unknown): boolean {
  return !(error instanceof HpsError && error.code === "unavailable");
}
