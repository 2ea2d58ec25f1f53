/** Which images are read from the packs of a library. */
import type { Db } from "./database.ts";
import type { HeldImage } from "./image-uses.ts";
import { selectStoredSize } from "./images.ts";
import { type PackRow, selectPacksOf } from "./packs.ts";

export interface PackReader extends HeldImage {
  /** Of its manifest's file. */
  readonly sizeBytes: number;
  /** In the order in which they are asked for an object; those of other libraries too. */
  readonly packs: readonly PackRow[];
}

/** Images, also of other libraries, that are read from packs of this one. */
export async function selectPackReaders(db: Db, library: string): Promise<PackReader[]> {
  const rows = await db
    .selectFrom("image_pack")
    .select(["library", "image_digest"])
    .distinct()
    .where("pack_library", "=", library)
    .orderBy("library")
    .orderBy("image_digest")
    .execute();
  const readers: PackReader[] = [];
  for (const row of rows) {
    const image = { library: row.library, digest: row.image_digest };
    const sizeBytes = await selectStoredSize(db, image.digest);
    if (sizeBytes !== undefined) readers.push({ ...image, sizeBytes, packs: await selectPacksOf(db, image) });
  }
  return readers;
}

/** Libraries that have a pack which is not retired. */
export async function selectLibrariesWithPacks(db: Db): Promise<string[]> {
  const select = db.selectFrom("pack").select("library").distinct().where("retired_at", "is", null).orderBy("library");
  return (await select.execute()).map(({ library }) => library);
}

/** What lies on the disk for nobody but those who may still be reading it. */
export async function selectRetiredBytes(db: Db, library: string): Promise<number> {
  const rows = await db
    .selectFrom("pack")
    .select("size_bytes")
    .where("library", "=", library)
    .where("retired_at", "is not", null)
    .execute();
  return rows.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
}
