import type { SchemaWriter } from "../../store-handle.ts";
import { big, bytes, createTable, partOf, text } from "../table.ts";

/** Signatures of images, and the keys that each cluster believes; see image-tables.ts. */
export async function imageSignatures(db: SchemaWriter): Promise<void> {
  await createTable(
    db,
    "image_signature",
    { library: text, image_digest: text, name: text, key_id: text, signed: bytes, added_by: text, created_at: big },
    { primaryKey: ["library", "image_digest", "name", "key_id"] },
  );
  await createTable(
    db,
    "image_key_set",
    { cluster_id: partOf("cluster"), serial: big, signed: bytes, set_by: text, created_at: big },
    { primaryKey: ["cluster_id", "serial"] },
  );
}
