/**
 * One process a store. The lock is SQLite's own on an empty database beside the store: the kernel drops it with the
 * process, however it dies, so nothing is ever stale. The pid in the other file is only for the message.
 */
import { readFileSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { STORE_LOCKED } from "./worker-protocol.ts";

/** Carries STORE_LOCKED to the worker's reply. */
class StoreLockedError extends Error {
  readonly code = STORE_LOCKED;
}

/** Takes the lock or throws StoreLockedError naming the holder; the returned function gives it back. */
export function lockStore(file: string): () => void {
  const lock = new Database(`${file}.lock`, { timeout: 0 });
  try {
    lock.pragma("journal_mode = MEMORY");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY")) throw heldBy(file);
    throw error;
  }
  writeFileSync(`${file}.pid`, `${process.pid}\n`, { mode: 0o600 });
  return () => lock.close();
}

function heldBy(file: string): StoreLockedError {
  return new StoreLockedError(`the store is in use by process ${holderOf(file)}`);
}

function holderOf(file: string): string {
  try {
    const text = readFileSync(`${file}.pid`, "latin1").trim();
    return /^\d{1,10}$/.test(text) ? text : "unknown";
  } catch {
    return "unknown";
  }
}
