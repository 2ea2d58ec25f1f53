import { sql } from "kysely";
import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns } from "../table.ts";

/** How many tags of each name a cluster keeps, and when each name came to its image; see tables.ts and image-tables.ts. */
export async function imageRetention(db: SchemaWriter): Promise<void> {
  await addColumns(db, "cluster", { image_keep: ["integer", 0] });
  await addColumns(db, "image", { named_at: ["bigint", 0] });
  await sql`update image set named_at = created_at`.execute(db);
}
