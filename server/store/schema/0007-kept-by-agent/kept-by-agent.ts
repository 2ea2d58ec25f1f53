import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns } from "../table.ts";

/** Sessions that went past hpsd while it was away, and that their host's agent told of afterwards. */
export async function keptByAgent(db: SchemaWriter): Promise<void> {
  await addColumns(db, "session", { kept_by_agent: ["integer", 0] });
}
