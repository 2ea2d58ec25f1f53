import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns } from "../table.ts";

/** Packs that were found damaged: what they hold counts as lacking. */
export async function damagedPacks(db: SchemaWriter): Promise<void> {
  await addColumns(db, "pack", { damaged_at: ["bigint", null] });
}
