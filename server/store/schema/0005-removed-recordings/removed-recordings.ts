import type { SchemaWriter } from "../../store-handle.ts";
import { big, createTable, key, text } from "../table.ts";

/** Recordings whose files are gone while the session's row is there. */
export async function removedRecordings(db: SchemaWriter): Promise<void> {
  await createTable(db, "removed_recording", { session_id: key, removed_at: big, reason: text });
}
