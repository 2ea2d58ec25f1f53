import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns } from "../table.ts";

/** Where the hosts of a cluster find packs of images beside hpsd; see tables.ts. */
export async function imageMirrors(db: SchemaWriter): Promise<void> {
  await addColumns(db, "cluster", { image_mirrors_json: ["text", "[]"] });
}
