/** A consistent copy of a store that is being written to. Runs in a worker: all of it blocks. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";

const PAGES_PER_STEP = 512;

/**
 * Copies `source` (a connection without a transaction) to `file`: written beside it, checked, synced, then renamed.
 * Holding a read transaction pins one state of the log; without it every commit would start the copy again.
 */
export async function copyStore(
  source: Database.Database,
  file: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    // Made here so that it is never readable by others.
    closeSync(openSync(partial, "wx", 0o600));
    await copyPages(source, partial, onProgress);
    verifyCopy(partial);
    syncPath(partial);
    renameSync(partial, file);
    syncPath(path.dirname(file));
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${partial}${suffix}`, { force: true });
  }
}

async function copyPages(
  source: Database.Database,
  partial: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  source.exec("BEGIN");
  try {
    source.prepare("SELECT count(*) FROM sqlite_schema").get();
    await source.backup(partial, {
      progress({ totalPages, remainingPages }) {
        onProgress(totalPages - remainingPages, totalPages);
        return PAGES_PER_STEP;
      },
    });
  } finally {
    source.exec("ROLLBACK");
  }
}

/** Leaves one self-contained file (no log beside it) that SQLite finds sound. */
function verifyCopy(partial: string): void {
  const copy = new Database(partial);
  try {
    copy.pragma("journal_mode = DELETE");
    const verdict = copy.pragma("quick_check(1)", { simple: true });
    if (verdict !== "ok") throw new Database.SqliteError(`the copy is not sound: ${verdict}`, "SQLITE_CORRUPT");
  } finally {
    copy.close();
  }
}

/** Makes a file, or the names in a folder, durable. */
export function syncPath(target: string): void {
  const handle = openSync(target, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
