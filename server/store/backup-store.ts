/** Copies a store that another process may be writing to. Blocks: for a command that does nothing else meanwhile. */
import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { HpsError } from "../../proto/values/hps-error.ts";
import { copyStore } from "./backup-copy.ts";
import { errorOfFailure } from "./store-errors.ts";
import { failureOf } from "./worker-protocol.ts";

/** One consistent state of the store `file` as the file `to`: checked and durable. `not-found` without a store. */
export async function backupStore({ file, to }: { readonly file: string; readonly to: string }): Promise<void> {
  if (!existsSync(file))
    throw new HpsError("not-found", `no store ${file}`, { hint: "name hpsd's configuration with --config" });
  try {
    const source = new Database(file, { readonly: true });
    try {
      await copyStore(source, to, () => undefined);
    } finally {
      source.close();
    }
  } catch (error) {
    throw error instanceof HpsError ? error : errorOfFailure(failureOf(error));
  }
}
