import { sql } from "kysely";
import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns, big, createTable, integer, key, oneOf, optionalBig, optionalText, text } from "../table.ts";

/** Images of packs, the shared library, names that move, and what an installation was armed with; see image-tables.ts. */
export async function imageLibrary(db: SchemaWriter): Promise<void> {
  await rebuildImages(db);
  await createTable(
    db,
    "pack",
    {
      ...{ library: text, digest: text, size_bytes: big, index_offset: big, index_bytes: big },
      ...{ created_at: big, retired_at: optionalBig },
    },
    { primaryKey: ["library", "digest"], indexes: [["digest"]] },
  );
  await createTable(
    db,
    "image_pack",
    { library: text, image_digest: text, ordinal: integer, pack_library: text, pack_digest: text },
    { primaryKey: ["library", "image_digest", "ordinal"], indexes: [["pack_digest"]] },
  );
  await createTable(
    db,
    "delta",
    {
      ...{ library: text, digest: text, base: text, target: text, size_bytes: big },
      ...{ index_offset: big, index_bytes: big, created_at: big },
    },
    { primaryKey: ["library", "digest"], indexes: [["library", "target"], ["digest"]] },
  );
  await addColumns(db, "installation", { image_digest: ["text", ""] });
  await sql`update installation set image_digest = coalesce((select image.digest from image
    where image.library = installation.cluster_id and image.name = installation.image), '')`.execute(db);
}

const KEPT = [
  ...["id", "cluster_id", "name", "digest", "size_bytes", "format", "content_bytes", "entries", "lacks_json"],
  ...["system", "kernel", "imported_by", "created_at"],
] as const;

/** Neither database lets a column become optional or a check be changed in place alike. */
async function rebuildImages(db: SchemaWriter): Promise<void> {
  await sql`create table image_before as select * from image`.execute(db);
  await db.schema.dropTable("image").execute();
  await createTable(
    db,
    "image",
    {
      id: key,
      library: text,
      cluster_id: { type: "text", build: (column) => column.references("cluster.id") },
      name: optionalText,
      digest: text,
      size_bytes: big,
      format: oneOf("format", ["tar", "tar-zstd", "tar-xz", "packs"]),
      content_bytes: big,
      entries: big,
      lacks_json: text,
      system: text,
      kernel: text,
      imported_by: text,
      created_at: big,
      expires_at: optionalBig,
    },
    { unique: [["library", "name"]], indexes: [["digest"]] },
  );
  const columns = sql.join(KEPT.map((column) => sql.ref(column)));
  await sql`insert into image (${columns}, library) select ${columns}, cluster_id from image_before`.execute(db);
  await db.schema.dropTable("image_before").execute();
}
