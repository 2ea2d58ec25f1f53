/** Puts a backup where a store is to be. Blocks: for a command that does nothing else meanwhile. */
import { existsSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { HpsError } from "../../proto/values/hps-error.ts";
import { copyStore } from "./backup-copy.ts";
import { errorOfFailure } from "./store-errors.ts";
import { lockStore } from "./store-lock.ts";
import { failureOf } from "./worker-protocol.ts";

/**
 * Makes the store `file` from `backup`, checked and durable. Errors: `exists` when there is a store already,
 * `not-found` without a backup, `data-loss` when the backup is not sound.
 */
export async function restoreStore({
  backup,
  file,
}: {
  readonly backup: string;
  readonly file: string;
}): Promise<void> {
  if (!existsSync(backup)) throw new HpsError("not-found", `no backup ${backup}`);
  try {
    const unlock = lockStore(file);
    try {
      refuseExisting(file);
      // A log left from an earlier store would be played into the restored one.
      for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(`${file}${suffix}`, { force: true });
      await copyInto(backup, file);
    } finally {
      unlock();
    }
  } catch (error) {
    throw error instanceof HpsError ? error : errorOfFailure(failureOf(error));
  }
}

function refuseExisting(file: string): void {
  if (!existsSync(file)) return;
  throw new HpsError("exists", `there is a store at ${file} already`, { hint: "move it away first" });
}

async function copyInto(backup: string, file: string): Promise<void> {
  const source = new Database(backup, { readonly: true });
  try {
    await copyStore(source, file, () => undefined);
  } finally {
    source.close();
  }
}
