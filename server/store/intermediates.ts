import type { Db, Tx } from "./database.ts";

/** An issuing certificate of this hpsd; its key lies in the state folder. Times are UTC milliseconds. */
export interface IntermediateRow {
  readonly id: string;
  readonly state: "prepared" | "active" | "retired";
  /** Null as long as it is only prepared. */
  readonly pem: string | null;
  readonly notAfter: number | null;
  readonly createdAt: number;
}

export async function insertIntermediate(tx: Tx, { notAfter, createdAt, ...row }: IntermediateRow): Promise<void> {
  await tx
    .insertInto("intermediate")
    .values({ ...row, not_after: notAfter, created_at: createdAt })
    .execute();
}

/** All, oldest first. */
export async function selectIntermediates(db: Db): Promise<IntermediateRow[]> {
  const rows = await db.selectFrom("intermediate").selectAll().orderBy("created_at").orderBy("id").execute();
  return rows.map(({ not_after, created_at, ...row }) => ({ ...row, notAfter: not_after, createdAt: created_at }));
}

/** Takes a prepared one into use and retires the one in use. */
export async function activateIntermediate(
  tx: Tx,
  { id, pem, notAfter }: { readonly id: string; readonly pem: string; readonly notAfter: number },
): Promise<void> {
  await tx.updateTable("intermediate").set({ state: "retired" }).where("state", "=", "active").execute();
  await tx
    .updateTable("intermediate")
    .set({ state: "active", pem, not_after: notAfter })
    .where("id", "=", id)
    .execute();
}

/** Forgets every one that was prepared and never came into use. */
export async function deletePrepared(tx: Tx): Promise<void> {
  await tx.deleteFrom("intermediate").where("state", "=", "prepared").execute();
}
