import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns } from "../table.ts";

/** What a session keeps of how it was begun, for an hpsd that goes on with it; what each column means stands in shell-tables.ts. */
export async function sessionOwner(db: SchemaWriter): Promise<void> {
  await addColumns(db, "session", { certificate: ["text", ""], strict: ["integer", 0] });
}
