/**
 * The store: SQLite in worker threads, so that a commit's fsync or a long query never holds the event loop.
 * One writer, a few readers, each its own thread and connection. Acknowledged means committed and durable.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type Migration, migrate } from "./migrate.ts";
import { nextCopy, pruneCopies } from "./migration-copy.ts";
import { Slots } from "./slots.ts";
import { busyError } from "./store-errors.ts";
import type { Reader, StoreHandle, Writer } from "./store-handle.ts";
import { misuse, Transaction, withinHold } from "./transaction.ts";
import { type Progress, WorkerConnection } from "./worker-connection.ts";

export interface OpenStoreOptions {
  readonly file: string;
  readonly migrations: readonly Migration[];
  /** Reading connections, each a thread; default 2. */
  readonly readers?: number;
  /** How long SQLite itself waits for another process, such as a backup tool; default 5 000. */
  readonly busyTimeoutMs?: number;
  /** Calls that may wait for a connection, of each kind; default 4 096. */
  readonly maxQueued?: number;
  /** How long one may wait; default 10 000. */
  readonly maxWaitMs?: number;
  /** How long one transaction may take before it is undone; default 30 000. */
  readonly maxHoldMs?: number;
  /** A commit that takes longer means a dead disk: the store gives up; default 60 000. */
  readonly maxCommitMs?: number;
}

export interface Store<S> {
  /** One consistent snapshot for all that `fn` reads. Needs no `write` to end first. */
  read<T>(fn: (db: Reader<S>) => Promise<T>): Promise<T>;
  /**
   * One write at a time; resolves when what `fn` did is durable, rejects when none of it is.
   * Errors: `unavailable` when the line is too long, `exhausted` on a full disk, `deadline` when `fn` takes too long.
   */
  write<T>(fn: (tx: Writer<S>) => Promise<T>): Promise<T>;
  /** A consistent, checked, durable copy while writes go on; progress in pages. */
  backup(file: string, onProgress?: Progress): Promise<void>;
  /** What is wrong with the file, in SQLite's words; empty when it is sound. */
  integrityCheck(): Promise<string[]>;
  /** Moves the log into the file and empties it; `unavailable` while a long read still needs the log. */
  checkpoint(): Promise<void>;
  /** Lets what runs end, then closes. Idempotent. */
  close(): Promise<void>;
  /** Whether the running code was called by a `read` or `write` that still runs: asking for another would wait for itself. */
  readonly insideTransaction: boolean;
  /** Resolves if a thread dies or the disk hangs: nothing works any more, and the process should end. */
  readonly failed: Promise<HpsError>;
}

/** Opens or makes the store and brings its schema forward. Refused while another process has it. */
export async function openStore<S>(options: OpenStoreOptions): Promise<Store<S>> {
  const settings = { ...DEFAULTS, ...options };
  const { file, busyTimeoutMs } = settings;
  const writer = await WorkerConnection.open({ file, busyTimeoutMs, mode: "writer" });
  const readers: WorkerConnection[] = [];
  try {
    await migrate(writer, settings.migrations, async () => {
      await withSideConnection(settings, async (side) => await side.backup(nextCopy(file)));
      await pruneCopies(file);
    });
    const opening = Array.from({ length: settings.readers }, async () => {
      readers.push(await WorkerConnection.open({ file, busyTimeoutMs, mode: "reader" }));
    });
    const refused = (await Promise.allSettled(opening)).find(({ status }) => status === "rejected");
    if (refused?.status === "rejected") throw refused.reason;
  } catch (error) {
    for (const connection of [...readers, writer]) await connection.close();
    throw error;
  }
  return new OpenedStore<S>(settings, writer, readers);
}

const DEFAULTS = {
  readers: 2,
  busyTimeoutMs: 5_000,
  maxQueued: 4_096,
  maxWaitMs: 10_000,
  maxHoldMs: 30_000,
  maxCommitMs: 60_000,
};

type Settings = Required<OpenStoreOptions>;

/** A connection for one long job, so that readers stay free. */
async function withSideConnection<T>(
  { file, busyTimeoutMs }: Settings,
  fn: (side: WorkerConnection) => Promise<T>,
): Promise<T> {
  const side = await WorkerConnection.open({ file, busyTimeoutMs, mode: "reader" });
  try {
    return await fn(side);
  } finally {
    await side.close();
  }
}

class OpenedStore<S> implements Store<S> {
  readonly failed: Promise<HpsError>;
  readonly #settings: Settings;
  readonly #writerConnection: WorkerConnection;
  readonly #readerConnections: readonly WorkerConnection[];
  readonly #writer: Slots<WorkerConnection>;
  readonly #readers: Slots<WorkerConnection>;
  /** The transaction the running code is in, to tell a wait for oneself from a wait for others. */
  readonly #inside = new AsyncLocalStorage<Transaction>();
  readonly #sideJobs = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(settings: Settings, writer: WorkerConnection, readers: readonly WorkerConnection[]) {
    this.#settings = settings;
    this.#writerConnection = writer;
    this.#readerConnections = readers;
    this.#writer = new Slots([writer], settings);
    this.#readers = new Slots(readers, settings);
    const connections = [writer, ...readers];
    this.failed = Promise.race(connections.map((connection) => connection.failed));
    // One thread less is a store that half works; all of it stops, and says so.
    void this.failed.then((error) => {
      for (const connection of connections) connection.fail(error);
    });
  }

  get insideTransaction(): boolean {
    return this.#inside.getStore()?.open === true;
  }

  async read<T>(fn: (db: Reader<S>) => Promise<T>): Promise<T> {
    this.#check("read");
    return await this.#readers.use(async (connection) => {
      const transaction = new Transaction(connection, "BEGIN");
      try {
        return await this.#hold(transaction, fn);
      } finally {
        transaction.rollback();
      }
    });
  }

  async write<T>(fn: (tx: Writer<S>) => Promise<T>): Promise<T> {
    this.#check("write");
    return await this.#writer.use(async (connection) => {
      const transaction = new Transaction(connection, "BEGIN IMMEDIATE");
      try {
        const result = await this.#hold(transaction, fn);
        await this.#commit(transaction);
        return result;
      } catch (error) {
        transaction.rollback();
        throw error;
      }
    });
  }

  async backup(file: string, onProgress?: Progress): Promise<void> {
    try {
      await this.#aside(async (side) => await side.backup(file, onProgress));
    } catch (cause) {
      if (!(cause instanceof HpsError)) throw cause;
      throw new HpsError(cause.code, `the backup ${file} could not be written`, { hint: cause.message, cause });
    }
  }

  async integrityCheck(): Promise<string[]> {
    return await this.#aside(findDamage);
  }

  async checkpoint(): Promise<void> {
    this.#check("checkpoint");
    const [row] = await this.#writer.use(async (writer) => await writer.runAlone("PRAGMA wal_checkpoint(TRUNCATE)"));
    if (row?.busy !== 0) throw busyError();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The writer last: the last connection to close empties the log into the file. */
  async #close(): Promise<void> {
    await Promise.allSettled([this.#readers.idle(), this.#writer.idle(), ...this.#sideJobs]);
    for (const connection of [...this.#readerConnections, this.#writerConnection]) await connection.close();
  }

  async #hold<T>(transaction: Transaction, fn: (handle: StoreHandle<S>) => Promise<T>): Promise<T> {
    const running = this.#inside.run(transaction, () => transaction.withHandle(fn));
    return await withinHold(running, this.#settings.maxHoldMs);
  }

  async #commit(transaction: Transaction): Promise<void> {
    const { maxCommitMs } = this.#settings;
    const timer = setTimeout(() => {
      this.#writerConnection.fail(new Error(`a commit took longer than ${maxCommitMs} ms`));
    }, maxCommitMs);
    try {
      await transaction.commit();
    } finally {
      clearTimeout(timer);
    }
    for (const callback of transaction.callbacks) callSafely(callback);
  }

  async #aside<T>(fn: (side: WorkerConnection) => Promise<T>): Promise<T> {
    this.#check("side job");
    const job = withSideConnection(this.#settings, fn);
    this.#sideJobs.add(job);
    return await job.finally(() => this.#sideJobs.delete(job));
  }

  #check(what: string): void {
    if (this.#closing !== undefined) throw new HpsError("unavailable", "the store is closed");
    if (this.insideTransaction) {
      throw misuse(`a ${what} of the store was asked for inside a transaction; use the transaction's handle`);
    }
  }
}

/** A file too damaged to be walked through is one more thing to report. */
async function findDamage(side: WorkerConnection): Promise<string[]> {
  try {
    const verdicts = (await side.runAlone("PRAGMA integrity_check")).map((row) => String(row.integrity_check));
    const broken = await side.runAlone("PRAGMA foreign_key_check");
    const references = broken.map(({ table, rowid }) => `row ${rowid} of ${table} refers to nothing`);
    return [...verdicts.filter((verdict) => verdict !== "ok"), ...references];
  } catch (error) {
    if (error instanceof HpsError && error.code === "data-loss") return [error.message];
    throw error;
  }
}

/** The change is durable whatever a callback does; its mistake is the process's, not the writer's. */
function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
