import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";

/** One line of an operation's log, its bytes exactly as they came. */
export interface LogLineRow {
  readonly sequence: number;
  /** UTC milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly text: Uint8Array;
}

/** What a line costs beside its text: row, index and source, generously. */
const LINE_OVERHEAD = 256;

export function costOf(textBytes: number): number {
  return textBytes + LINE_OVERHEAD;
}

/** Not executed, so that it can go along with other statements. At least one row. */
export function insertLogLines(tx: Tx, installationId: string, rows: readonly LogLineRow[]) {
  return tx.insertInto("log_line").values(rows.map((row) => ({ installation_id: installationId, ...row })));
}

const TEXT_BYTES = sql<number>`octet_length(${sql.ref("text")})`;

/** What all lines of an operation cost together. Reads them all: once per attach, not per line. */
export async function logCost(db: Db, installationId: string): Promise<number> {
  const row = await db
    .selectFrom("log_line")
    .select(({ fn }) => [fn.sum<number | null>(TEXT_BYTES).as("bytes"), fn.countAll<number>().as("lines")])
    .where("installation_id", "=", installationId)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0) + Number(row?.lines ?? 0) * LINE_OVERHEAD;
}

/** Sequence and size of lines above `after`, in order: to cut a page by bytes. */
export async function selectLogSizes(
  db: Db,
  installationId: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly sequence: number; readonly bytes: number }[]> {
  return await db
    .selectFrom("log_line")
    .select(["sequence", TEXT_BYTES.as("bytes")])
    .where("installation_id", "=", installationId)
    .where("sequence", ">", after)
    .orderBy("sequence")
    .limit(limit)
    .execute();
}

/** Lines above `after` up to `last`, in order. */
export async function selectLogLines(
  db: Db,
  installationId: string,
  { after, last }: { readonly after: number; readonly last: number },
): Promise<LogLineRow[]> {
  return await db
    .selectFrom("log_line")
    .select(["sequence", "at", "source", "text"])
    .where("installation_id", "=", installationId)
    .where("sequence", ">", after)
    .where("sequence", "<=", last)
    .orderBy("sequence")
    .execute();
}

/** Drops the lines up to `last`. */
export async function deleteLogLines(tx: Tx, installationId: string, last: number): Promise<void> {
  await tx.deleteFrom("log_line").where("installation_id", "=", installationId).where("sequence", "<=", last).execute();
}

/** Drops at most `limit` lines of operations that ended before `at`; how many it were. */
export async function deleteEndedLogLines(tx: Tx, at: number, limit: number): Promise<number> {
  const row = await tx
    .selectFrom("log_line")
    .innerJoin("installation", "installation.id", "log_line.installation_id")
    .select(["log_line.installation_id as id"])
    .where("installation.ended_at", "<", at)
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return 0;
  const oldest = await selectLogSizes(tx, row.id, { after: 0, limit });
  const last = oldest.at(-1);
  if (last !== undefined) await deleteLogLines(tx, row.id, last.sequence);
  return oldest.length;
}
