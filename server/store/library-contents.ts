/** All that a library is to hold, and what of it was found damaged. */
import type { Db, Tx } from "./database.ts";
import type { ImageRow } from "./images.ts";

/** An image, whatever names it has. */
export interface LibraryImage extends Pick<ImageRow, "digest" | "sizeBytes" | "format"> {
  readonly names: readonly string[];
}

/** By digest; those without a name too. */
export async function selectLibraryImages(db: Db, library: string): Promise<LibraryImage[]> {
  const rows = await db
    .selectFrom("image")
    .select(["digest", "size_bytes", "format", "name"])
    .where("library", "=", library)
    .orderBy("digest")
    .orderBy("name")
    .execute();
  const images = new Map<string, LibraryImage>();
  for (const { digest, size_bytes, format, name } of rows) {
    const names = [...(images.get(digest)?.names ?? []), ...(name === null ? [] : [name])];
    images.set(digest, { digest, sizeBytes: size_bytes, format, names });
  }
  return [...images.values()];
}

/** Deltas of a library: from what to what. */
export async function selectLibraryDeltas(db: Db, library: string) {
  const rows = await db
    .selectFrom("delta")
    .select(["digest", "size_bytes", "base", "target"])
    .where("library", "=", library)
    .orderBy("digest")
    .execute();
  return rows.map(({ size_bytes, ...row }) => ({ ...row, sizeBytes: size_bytes }));
}

/** Notes when the pack was found damaged, in whatever library; null: it is not. Answers whether that is news. */
export async function updatePackDamage(tx: Tx, digest: string, damagedAt: number | null): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable("pack")
    .set({ damaged_at: damagedAt })
    .where("digest", "=", digest)
    .where("damaged_at", damagedAt === null ? "is not" : "is", null)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** In all libraries. */
export async function deleteDelta(tx: Tx, digest: string): Promise<void> {
  await tx.deleteFrom("delta").where("digest", "=", digest).execute();
}
