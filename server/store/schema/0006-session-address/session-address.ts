import { sql } from "kysely";
import type { SchemaWriter } from "../../store-handle.ts";

/** From where a session was begun, and what its host's agent and its recording are; of earlier ones nothing is known. */
export async function sessionAddress(db: SchemaWriter): Promise<void> {
  for (const name of ["address", "agent_run"]) {
    await db.schema
      .alterTable("session")
      .addColumn(name, "text", (column) => column.notNull().defaultTo(sql.lit("")))
      .execute();
  }
  await db.schema
    .alterTable("session")
    .addColumn("recorded", "integer", (column) => column.notNull().defaultTo(1))
    .execute();
}
