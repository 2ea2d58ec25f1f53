/** The thread that holds one SQLite connection. Answers requests in the order they come. */
import { closeSync, existsSync, openSync } from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { copyStore, syncPath } from "./backup-copy.ts";
import { lockStore } from "./store-lock.ts";
import {
  failureOf,
  type Reply,
  type Request,
  type RequestBody,
  type SqlValue,
  type Statement,
  type StatementReply,
  TRANSACTION_LOST,
  type WorkerOptions,
} from "./worker-protocol.ts";

const CACHED_STATEMENTS = 256;

type Prepared = Database.Statement<unknown[], unknown>;

interface Connection {
  readonly db: Database.Database;
  readonly prepared: Map<string, Prepared>;
  readonly unlock: () => void;
}

class TransactionLostError extends Error {
  readonly code = TRANSACTION_LOST;
}

let currentSql = "";

function openConnection({ file, mode, busyTimeoutMs }: WorkerOptions): Connection {
  if (mode === "reader") {
    const db = new Database(file, { readonly: true, timeout: busyTimeoutMs });
    db.pragma("temp_store = MEMORY");
    return { db, prepared: new Map(), unlock: () => undefined };
  }
  const unlock = lockStore(file);
  try {
    return { db: openForWriting(file, busyTimeoutMs), prepared: new Map(), unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

function openForWriting(file: string, timeout: number): Database.Database {
  createPrivately(file);
  const db = new Database(file, { timeout });
  db.pragma("journal_mode = WAL");
  // FULL syncs the log at every commit; NORMAL, better-sqlite3's default under WAL, would not.
  db.pragma("synchronous = FULL");
  db.pragma("foreign_keys = ON");
  db.pragma("trusted_schema = OFF");
  db.pragma("temp_store = MEMORY");
  db.pragma("journal_size_limit = 67108864");
  return db;
}

/** SQLite would create it by the umask, and does not sync the folder that names it. */
function createPrivately(file: string): void {
  if (existsSync(file)) return;
  closeSync(openSync(file, "wx", 0o600));
  syncPath(path.dirname(file));
}

/** Oldest first out: a Map keeps the order of insertion. */
function prepare({ db, prepared }: Connection, sql: string): Prepared {
  const known = prepared.get(sql);
  if (known !== undefined) {
    prepared.delete(sql);
    prepared.set(sql, known);
    return known;
  }
  const statement = db.prepare<unknown[]>(sql).safeIntegers(true);
  if (statement.reader) statement.raw(true);
  prepared.set(sql, statement);
  const oldest = prepared.keys().next();
  if (prepared.size > CACHED_STATEMENTS && oldest.done !== true) prepared.delete(oldest.value);
  return statement;
}

function runStatement(connection: Connection, { sql, parameters }: Statement): StatementReply {
  currentSql = sql;
  const statement = prepare(connection, sql);
  if (!statement.reader) return { columns: [], rows: [], changes: Number(statement.run(...parameters).changes) };
  // Wire boundary: in raw mode better-sqlite3 gives each row as an array of SQLite's five kinds of value.
  const rows = statement.all(...parameters) as SqlValue[][];
  for (const row of rows) narrowIntegers(row);
  return { columns: statement.columns().map(({ name }) => name), rows, changes: rows.length };
}

/** Plain numbers where they are exact, bigint where a number would lie. */
function narrowIntegers(row: SqlValue[]): void {
  for (let index = 0; index < row.length; index += 1) {
    const value = row[index];
    if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) row[index] = Number(value);
  }
}

function control(connection: Connection, words: readonly string[]): void {
  for (const word of words) runStatement(connection, { sql: word, parameters: [] });
}

function undo(connection: Connection): void {
  if (connection.db.inTransaction) control(connection, ["ROLLBACK"]);
}

function run(connection: Connection, body: RequestBody & { kind: "run" }): readonly StatementReply[] {
  if (body.undo) undo(connection);
  if (body.inTransaction !== connection.db.inTransaction) {
    throw new TransactionLostError("the transaction this statement belongs to is gone");
  }
  control(connection, body.before);
  const results = body.statements.map((statement) => runStatement(connection, statement));
  control(connection, body.after);
  return results;
}

async function serve(connection: Connection, { id, body }: Request): Promise<readonly StatementReply[]> {
  switch (body.kind) {
    case "run":
      return run(connection, body);
    case "rollback":
      undo(connection);
      return [];
    case "backup":
      await copyStore(connection.db, body.file, (done, total) => reply({ kind: "progress", id, done, total }));
      return [];
    case "close":
      connection.db.close();
      connection.unlock();
      return [];
  }
}

function reply(message: Reply): void {
  parentPort?.postMessage(message);
}

async function answer(connection: Connection, request: Request): Promise<void> {
  currentSql = "";
  try {
    const results = await serve(connection, request);
    reply({ kind: "answer", id: request.id, results });
  } catch (error) {
    reply({ kind: "failure", id: request.id, failure: failureOf(error, currentSql) });
  }
  if (request.body.kind === "close") parentPort?.close();
}

try {
  const connection = openConnection(workerData);
  // Only `backup` yields, and its connection is asked for nothing else meanwhile.
  parentPort?.on("message", (request: Request) => void answer(connection, request));
  reply({ kind: "ready" });
} catch (error) {
  const failure = failureOf(error, currentSql);
  // better-sqlite3 gives its own complaints about the path no code.
  reply({ kind: "refused", failure: { ...failure, code: failure.code === "" ? "SQLITE_CANTOPEN" : failure.code } });
}
