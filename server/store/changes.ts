import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

type ChangeKind = Tables["change"]["kind"];

/** That an object changed; what it is now is read from its own table. */
export interface Change {
  readonly sequence: number;
  readonly kind: ChangeKind;
  readonly objectId: string;
  readonly clusterId: string | null;
  readonly deleted: boolean;
}

export type NewChange = Omit<Change, "sequence">;

export async function insertChange(tx: Tx, at: number, change: NewChange): Promise<void> {
  await tx
    .insertInto("change")
    .values({
      at,
      kind: change.kind,
      object_id: change.objectId,
      cluster_id: change.clusterId,
      deleted: change.deleted ? 1 : 0,
    })
    .execute();
}

/** Changes above `after`, in order, at most `limit`. */
export async function selectChanges(db: Db, after: number, limit: number): Promise<Change[]> {
  const rows = await db
    .selectFrom("change")
    .selectAll()
    .where("sequence", ">", after)
    .orderBy("sequence")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    kind: row.kind,
    objectId: row.object_id,
    clusterId: row.cluster_id,
    deleted: row.deleted === 1,
  }));
}

/** The lowest and highest sequence kept; 0 and 0 when there is none. */
export async function changeBounds(db: Db): Promise<{ readonly first: number; readonly last: number }> {
  const row = await db
    .selectFrom("change")
    .select(({ fn }) => [fn.min("sequence").as("first"), fn.max("sequence").as("last")])
    .executeTakeFirst();
  return { first: row?.first ?? 0, last: row?.last ?? 0 };
}

export interface ChangeRetention {
  /** All but so many of the newest go. */
  readonly keep: number;
  /** At most so many go at once, so that the writer is not held for long. */
  readonly batch: number;
}

/** Forgets the oldest, but never the very newest, so that numbers are never given twice. Answers how many went. */
export async function pruneChanges(tx: Tx, { keep, batch }: ChangeRetention): Promise<number> {
  const { first, last } = await changeBounds(tx);
  const to = Math.min(last - Math.max(keep, 1), first + batch - 1);
  const { numDeletedRows } = await tx.deleteFrom("change").where("sequence", "<=", to).executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
