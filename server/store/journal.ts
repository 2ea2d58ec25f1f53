import type { Db, Tx } from "./database.ts";

/** One entry, as the binary hps.v1.JournalEntry. */
export interface JournalRow {
  readonly sequence: number;
  /** UTC milliseconds. */
  readonly at: number;
  readonly entry: Uint8Array;
}

/** Not executed, so that it can go along with other statements. At least one row. */
export function insertJournal(tx: Tx, installationId: string, rows: readonly JournalRow[]) {
  return tx.insertInto("journal").values(rows.map((row) => ({ installation_id: installationId, ...row })));
}

/** Entries above `after`, in order. */
export async function selectJournal(
  db: Db,
  installationId: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<JournalRow[]> {
  return await db
    .selectFrom("journal")
    .select(["sequence", "at", "entry"])
    .where("installation_id", "=", installationId)
    .where("sequence", ">", after)
    .orderBy("sequence")
    .limit(limit)
    .execute();
}
