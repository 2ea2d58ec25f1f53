import { sql } from "kysely";
import { auditDigest, type DigestedEvent } from "../../audit-digest.ts";
import type { SchemaWriter } from "../../store-handle.ts";
import { big, createTable, key, text } from "../table.ts";

const PAGE = 500;

/** Every audit event holds the digest of all up to it; those that are there are chained as they are found. */
export async function auditChain(db: SchemaWriter): Promise<void> {
  await db.schema
    .alterTable("audit")
    .addColumn("digest", "text", (column) => column.notNull().defaultTo(sql.lit("")))
    .execute();
  await createTable(db, "audit_anchor", { id: key, sequence: big, digest: text });
  let before = "";
  let after = 0;
  for (let page = await pageOf(db, after); page.length > 0; page = await pageOf(db, after)) {
    const updates: Promise<unknown>[] = [];
    for (const event of page) {
      before = auditDigest(before, event);
      after = event.sequence;
      updates.push(db.updateTable("audit").set({ digest: before }).where("sequence", "=", after).execute());
    }
    await Promise.all(updates);
  }
}

async function pageOf(db: SchemaWriter, after: number): Promise<DigestedEvent[]> {
  const rows = await db
    .selectFrom("audit")
    .selectAll()
    .where("sequence", ">", after)
    .orderBy("sequence")
    .limit(PAGE)
    .execute();
  // What the first migration made of the table.
  return rows as unknown as DigestedEvent[];
}
