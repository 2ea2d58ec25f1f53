/** One transaction on one connection: lazily begun, its control words sent along with its statements. */
import type { CompiledQuery, QueryResult } from "kysely";
import { HpsError } from "../../proto/values/hps-error.ts";
import { StoreHandle } from "./store-handle.ts";
import type { WorkerConnection } from "./worker-connection.ts";

/** IMMEDIATE takes the write lock at once, so that a later statement cannot find it taken. */
type Begin = "BEGIN" | "BEGIN IMMEDIATE";

interface Asked {
  readonly queries: readonly CompiledQuery[];
  readonly resolve: (results: QueryResult<unknown>[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Transaction {
  readonly #connection: WorkerConnection;
  readonly #callbacks: (() => void)[] = [];
  /** Control words that wait for the next message. */
  #before: string[];
  #asked: Asked[] = [];
  #begun = false;
  #savepoints = 0;
  #open = true;

  constructor(connection: WorkerConnection, begin: Begin) {
    this.#connection = connection;
    this.#before = [begin];
  }

  get open(): boolean {
    return this.#open;
  }

  /** A handle that lives while `fn` runs. */
  async withHandle<S, T>(fn: (handle: StoreHandle<S>) => Promise<T>): Promise<T> {
    let live = true;
    let inSavepoint = false;
    const check = () => {
      if (!live || !this.#open) throw misuse("a transaction was used after its end");
      if (inSavepoint) throw misuse("a transaction was used while a savepoint in it was open");
    };
    const handle: StoreHandle<S> = new StoreHandle<S>(
      async (queries) => {
        check();
        return await this.#run(queries);
      },
      {
        savepoint: async (inner) => {
          check();
          inSavepoint = true;
          return await this.#savepoint(inner).finally(() => {
            inSavepoint = false;
          });
        },
        afterCommit: (callback) => {
          check();
          this.#callbacks.push(callback);
        },
      },
    );
    return await fn(handle).finally(() => {
      live = false;
    });
  }

  /** Resolves when the change is durable. */
  async commit(): Promise<void> {
    this.#open = false;
    if (!this.#begun) return;
    const before = this.#takeBefore();
    await this.#connection.run({ inTransaction: true, before, statements: [], after: ["COMMIT"] });
  }

  /**
   * Does not wait: the connection answers in order, so whoever gets it next comes after the rollback, and a
   * connection that is gone has nothing to roll back.
   */
  rollback(): void {
    this.#open = false;
    if (this.#begun) this.#connection.rollback();
  }

  /** What is to be called after the commit, in order. */
  get callbacks(): readonly (() => void)[] {
    return this.#callbacks;
  }

  /** What is asked at one time goes in one message; the first failure is then the failure of all. */
  #run(queries: readonly CompiledQuery[]): Promise<QueryResult<unknown>[]> {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult<unknown>[]>();
    if (this.#asked.push({ queries, resolve, reject }) === 1) queueMicrotask(() => this.#send());
    return promise;
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = [];
    const inTransaction = this.#begun;
    this.#begun = true;
    const statements = asked.flatMap(({ queries }) => queries);
    this.#connection.run({ inTransaction, before: this.#takeBefore(), statements, after: [] }).then(
      (results) => {
        for (const { queries, resolve } of asked) resolve(results.splice(0, queries.length));
      },
      (error: unknown) => {
        for (const { reject } of asked) reject(error);
      },
    );
  }

  async #savepoint<S, T>(fn: (handle: StoreHandle<S>) => Promise<T>): Promise<T> {
    this.#savepoints += 1;
    const name = `s${this.#savepoints}`;
    const callbacks = this.#callbacks.length;
    this.#before.push(`SAVEPOINT ${name}`);
    try {
      const result = await this.withHandle(fn);
      this.#before.push(`RELEASE ${name}`);
      return result;
    } catch (error) {
      this.#before.push(`ROLLBACK TO ${name}`, `RELEASE ${name}`);
      this.#callbacks.length = callbacks;
      throw error;
    } finally {
      this.#savepoints -= 1;
    }
  }

  #takeBefore(): readonly string[] {
    const before = this.#before;
    this.#before = [];
    return before;
  }
}

/** `fn` within its time; a transaction that takes longer is given up by the caller. */
export async function withinHold<T>(fn: Promise<T>, maxHoldMs: number): Promise<T> {
  const expired = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    expired.reject(new HpsError("deadline", `a transaction took longer than ${maxHoldMs} ms and was undone`));
  }, maxHoldMs);
  try {
    return await Promise.race([fn, expired.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A mistake in our own code, not of a caller. */
export function misuse(message: string): HpsError {
  return new HpsError("internal", message);
}
