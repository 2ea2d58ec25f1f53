/** The store's side of one worker thread: requests out, answers in, and what happens when the thread dies. */
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { QueryResult } from "kysely";
import { HpsError } from "../../proto/values/hps-error.ts";
import { errorOfFailure } from "./store-errors.ts";
import type { Reply, Request, RequestBody, Statement, StatementReply, WorkerOptions } from "./worker-protocol.ts";

type Row = Record<string, unknown>;

export type Progress = (done: number, total: number) => void;

interface Pending {
  readonly resolve: (results: readonly StatementReply[]) => void;
  readonly reject: (error: HpsError) => void;
  readonly onProgress: Progress | undefined;
}

/** Bundled code has no .ts files: the worker is then its own bundle beside this one. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./store-worker.ts" : "./store-worker.js",
  import.meta.url,
);

const CLOSE_LIMIT_MS = 10_000;

export class WorkerConnection {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #failed = Promise.withResolvers<HpsError>();
  #lastId = 0;
  /** A transaction is to be rolled back before the next statement. */
  #undo = false;
  #failure: HpsError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: WorkerOptions) {
    this.#worker = new Worker(WORKER_URL, { workerData: options, name: `store-${options.mode}` });
    this.#worker.on("message", (reply: Reply) => this.#receive(reply));
    this.#worker.on("error", (error) => this.fail(error));
    this.#worker.on("exit", (code) => this.fail(new Error(`the thread ended with code ${code}`)));
  }

  /** Starts the thread and opens the file; rejects with what stands in the way. */
  static async open(options: WorkerOptions): Promise<WorkerConnection> {
    const connection = new WorkerConnection(options);
    const ready = Promise.withResolvers<readonly StatementReply[]>();
    connection.#pending.set(0, { ...ready, onProgress: undefined });
    try {
      await ready.promise;
    } catch (error) {
      connection.#closing = Promise.resolve();
      await connection.#worker.terminate();
      throw error;
    }
    return connection;
  }

  /** Resolves, once, when the thread is gone without having been asked to go. */
  get failed(): Promise<HpsError> {
    return this.#failed.promise;
  }

  /** One message there and back; the statements' results in order. */
  async run(request: Omit<RequestBody & { kind: "run" }, "kind" | "undo">): Promise<QueryResult<Row>[]> {
    const statements = request.statements.map(cloneable);
    const undo = this.#undo;
    this.#undo = false;
    const results = await this.#request({ kind: "run", undo, ...request, statements });
    return results.map(toQueryResult);
  }

  /** One statement outside any transaction (pragmas). */
  async runAlone(sql: string): Promise<readonly Row[]> {
    const statements = [{ sql, parameters: [] }];
    const [result] = await this.run({ inTransaction: false, before: [], statements, after: [] });
    return result?.rows ?? [];
  }

  /** Before anything asked later, and soon: along with what is asked in this turn of the event loop, or by itself. */
  rollback(): void {
    this.#undo = true;
    setImmediate(() => {
      if (!this.#undo) return;
      this.#undo = false;
      this.#request({ kind: "rollback" }).catch(() => undefined);
    });
  }

  async backup(file: string, onProgress?: Progress): Promise<void> {
    await this.#request({ kind: "backup", file }, onProgress);
  }

  /** Closes the file and ends the thread; what was asked before is answered first. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Gives the thread up: everything pending, and everything asked later, is rejected. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const error = new HpsError("unavailable", "the store has stopped", { hint: "restart hpsd", cause });
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    if (this.#closing === undefined) this.#failed.resolve(error);
  }

  /** A statement cannot be interrupted: a thread that is lost in one is left to the end of the process. */
  async #close(): Promise<void> {
    const expired = new AbortController();
    const limit = setTimeout(CLOSE_LIMIT_MS, undefined, { signal: expired.signal, ref: false }).catch(() => undefined);
    const asked = this.#failure === undefined ? this.#request({ kind: "close" }) : Promise.resolve();
    try {
      await Promise.race([asked.finally(() => this.#worker.terminate()), limit]);
    } finally {
      expired.abort();
      this.#worker.unref();
    }
  }

  #request(body: RequestBody, onProgress?: Progress): Promise<readonly StatementReply[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<readonly StatementReply[]>();
    this.#lastId += 1;
    const request: Request = { id: this.#lastId, body };
    this.#pending.set(request.id, { resolve, reject, onProgress });
    try {
      this.#worker.postMessage(request);
    } catch (cause) {
      this.#pending.delete(request.id);
      reject(new HpsError("internal", "a value cannot be given to the store", { cause }));
    }
    return promise;
  }

  #receive(reply: Reply): void {
    const id = "id" in reply ? reply.id : 0;
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (reply.kind === "progress") {
      pending.onProgress?.(reply.done, reply.total);
      return;
    }
    this.#pending.delete(id);
    if (reply.kind === "failure" || reply.kind === "refused") pending.reject(errorOfFailure(reply.failure));
    else pending.resolve(reply.kind === "answer" ? reply.results : []);
  }
}

/** Cloning a small Buffer would send the whole pool it is cut from. */
function cloneable({ sql, parameters }: Statement): Statement {
  return { sql, parameters: parameters.map((value) => (value instanceof Uint8Array ? Uint8Array.from(value) : value)) };
}

function toQueryResult({ columns, rows, changes }: StatementReply): QueryResult<Row> {
  return { numAffectedRows: BigInt(changes), rows: rows.map((row) => toObject(columns, row)) };
}

function toObject(columns: readonly string[], row: readonly unknown[]): Row {
  const object: Row = {};
  for (const [index, column] of columns.entries()) {
    const value = row[index];
    object[column] =
      value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
  }
  return object;
}
