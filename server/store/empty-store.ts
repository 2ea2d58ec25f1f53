/** For tests: makes a store as it was after its migrations. */
import { sql } from "kysely";
import type { HpsStore } from "./database.ts";

export async function emptyStore(store: HpsStore): Promise<void> {
  await store.write(async (tx) => {
    // Some rows refer to rows of tables made later.
    await sql`PRAGMA defer_foreign_keys = ON`.execute(tx);
    const { rows } = await sql<{ name: string }>`
      SELECT name FROM sqlite_schema
      WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'migration' ORDER BY rowid DESC`.execute(tx);
    for (const { name } of rows) await sql`DELETE FROM ${sql.table(name)}`.execute(tx);
    await sql`DELETE FROM sqlite_sequence`.execute(tx);
  });
}
