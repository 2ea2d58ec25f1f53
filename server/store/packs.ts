/** Packs and deltas: what the images of a library are read from. */
import type { Selectable } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { HeldImage } from "./image-uses.ts";
import { SHARED_LIBRARY } from "./images.ts";
import type { Tables } from "./schema/tables.ts";

/** A file with an index at its end. */
export interface IndexedFile {
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Of the compressed index. */
  readonly indexOffset: number;
  readonly indexBytes: number;
}

export interface PackRow extends IndexedFile {
  readonly library: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
  /** From when on no image needs it; null: some do. */
  readonly retiredAt: number | null;
  /** When it was found damaged; null: it was not. */
  readonly damagedAt: number | null;
}

/** Which pack, of which library. */
export type PackKey = Pick<PackRow, "library" | "digest">;

export interface DeltaRow extends IndexedFile {
  readonly library: string;
  /** Digests of the manifests. */
  readonly base: string;
  readonly target: string;
  readonly createdAt: number;
}

/** One that was retired is needed again, and one that was damaged is whole. */
export async function insertPack(tx: Tx, pack: Omit<PackRow, "retiredAt" | "damagedAt">): Promise<void> {
  await tx
    .insertInto("pack")
    .values({
      library: pack.library,
      digest: pack.digest,
      size_bytes: pack.sizeBytes,
      index_offset: pack.indexOffset,
      index_bytes: pack.indexBytes,
      created_at: pack.createdAt,
      retired_at: null,
      damaged_at: null,
    })
    .onConflict((conflict) =>
      conflict.columns(["library", "digest"]).doUpdateSet({ retired_at: null, damaged_at: null }),
    )
    .execute();
}

/** Those of these libraries that images are read from, the newest first. */
export async function selectPacks(db: Db, libraries: readonly string[]): Promise<PackRow[]> {
  const rows = await db
    .selectFrom("pack")
    .selectAll()
    .where("library", "in", [...libraries])
    .where("retired_at", "is", null)
    .orderBy("created_at", "desc")
    .orderBy("digest")
    .execute();
  return rows.map(packOf);
}

/** The packs of an image, in the order in which they are asked for an object. */
export async function selectPacksOf(db: Db, { library, digest }: HeldImage): Promise<PackRow[]> {
  const rows = await db
    .selectFrom("image_pack")
    .innerJoin("pack", (join) =>
      join.onRef("pack.library", "=", "image_pack.pack_library").onRef("pack.digest", "=", "image_pack.pack_digest"),
    )
    .selectAll("pack")
    .where("image_pack.library", "=", library)
    .where("image_pack.image_digest", "=", digest)
    .orderBy("image_pack.ordinal")
    .execute();
  return rows.map(packOf);
}

/** Takes the place of what the image was read from. */
export async function replacePacksOf(tx: Tx, { library, digest }: HeldImage, packs: readonly PackKey[]): Promise<void> {
  await deletePacksOf(tx, { library, digest });
  const rows = packs.map((pack, ordinal) => ({
    ...{ library, image_digest: digest, ordinal },
    ...{ pack_library: pack.library, pack_digest: pack.digest },
  }));
  if (rows.length > 0) await tx.insertInto("image_pack").values(rows).execute();
}

export async function deletePacksOf(tx: Tx, { library, digest }: HeldImage): Promise<void> {
  await tx.deleteFrom("image_pack").where("library", "=", library).where("image_digest", "=", digest).execute();
}

/** Which of these are there; what was retired is needed again. */
export async function claimPacks(tx: Tx, packs: readonly PackKey[]): Promise<PackKey[]> {
  const there: PackKey[] = [];
  for (const { library, digest } of packs) {
    const { numUpdatedRows } = await tx
      .updateTable("pack")
      .set({ retired_at: null })
      .where("library", "=", library)
      .where("digest", "=", digest)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows > 0n) there.push({ library, digest });
  }
  return there;
}

/** Packs that no image is read from any more. */
export async function retireUnneededPacks(tx: Tx, now: number): Promise<void> {
  await tx
    .updateTable("pack")
    .set({ retired_at: now })
    .where("retired_at", "is", null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom("image_pack")
            .select("image_pack.ordinal")
            .whereRef("image_pack.pack_library", "=", "pack.library")
            .whereRef("image_pack.pack_digest", "=", "pack.digest"),
        ),
      ),
    )
    .execute();
}

/** Those that no image needs since before `before`. */
export async function selectRetiredPacks(db: Db, before: number): Promise<PackRow[]> {
  const select = db.selectFrom("pack").selectAll().where("retired_at", "<", before).orderBy("retired_at");
  return (await select.execute()).map(packOf);
}

export async function deletePack(tx: Tx, { library, digest }: PackKey): Promise<void> {
  await tx.deleteFrom("pack").where("library", "=", library).where("digest", "=", digest).execute();
}

/** A pack or delta with this digest in one of these libraries; undefined when there is none. */
export async function selectIndexedFile(
  db: Db,
  libraries: readonly string[],
  digest: string,
): Promise<(IndexedFile & { readonly kind: "pack" | "delta" }) | undefined> {
  for (const kind of ["pack", "delta"] as const) {
    const row = await db
      .selectFrom(kind)
      .select(["digest", "size_bytes", "index_offset", "index_bytes"])
      .where("digest", "=", digest)
      .where("library", "in", [...libraries])
      .limit(1)
      .executeTakeFirst();
    if (row !== undefined) return { kind, ...indexedOf(row) };
  }
  return undefined;
}

/** Of all libraries: what files of packs and deltas there are to be. */
export async function selectIndexedFiles(db: Db, kind: "pack" | "delta"): Promise<IndexedFile[]> {
  const columns = ["digest", "size_bytes", "index_offset", "index_bytes"] as const;
  return (await db.selectFrom(kind).select(columns).distinct().orderBy("digest").execute()).map(indexedOf);
}

export async function insertDelta(tx: Tx, delta: DeltaRow): Promise<void> {
  await tx
    .insertInto("delta")
    .values({
      library: delta.library,
      digest: delta.digest,
      base: delta.base,
      target: delta.target,
      size_bytes: delta.sizeBytes,
      index_offset: delta.indexOffset,
      index_bytes: delta.indexBytes,
      created_at: delta.createdAt,
    })
    .onConflict((conflict) => conflict.columns(["library", "digest"]).doNothing())
    .execute();
}

/** What makes this image out of others. */
export async function selectDeltasTo(db: Db, { library, digest }: HeldImage): Promise<DeltaRow[]> {
  const select = db.selectFrom("delta").selectAll().where("library", "=", library).where("target", "=", digest);
  const rows = await select.orderBy("created_at", "desc").orderBy("digest").execute();
  return rows.map((row) => ({
    ...{ library: row.library, base: row.base, target: row.target, createdAt: row.created_at },
    ...indexedOf(row),
  }));
}

/** What makes an image of what is no more, or out of it. */
export async function deleteDeltasOf(tx: Tx, { library, digest }: HeldImage): Promise<void> {
  await tx
    .deleteFrom("delta")
    .where("library", "=", library)
    .where((eb) => eb.or([eb("base", "=", digest), eb("target", "=", digest)]))
    .execute();
}

/** Bytes of all files that a library keeps. */
export async function sumLibrary(db: Db, library: string): Promise<number> {
  let sum = 0;
  for (const table of ["image", "pack", "delta"] as const) {
    const files = db.selectFrom(table).select(["digest", "size_bytes"]).distinct().where("library", "=", library);
    const total = db.selectFrom(files.as("files")).select(({ fn }) => fn.sum("files.size_bytes").as("total"));
    sum += Number((await total.executeTakeFirst())?.total ?? 0);
  }
  return sum;
}

/** All that a library of a cluster that goes away has; its images have no names any more. */
export async function deleteLibrary(tx: Tx, clusterId: string): Promise<void> {
  for (const table of ["delta", "image_pack", "image_signature", "pack", "image"] as const) {
    await tx.deleteFrom(table).where("library", "=", clusterId).execute();
  }
}

/** What a host of the cluster may read. */
export function librariesOf(clusterId: string): readonly string[] {
  return [clusterId, SHARED_LIBRARY];
}

type IndexColumns = Pick<Selectable<Tables["pack"]>, "digest" | "size_bytes" | "index_offset" | "index_bytes">;

function indexedOf({ digest, size_bytes, index_offset, index_bytes }: IndexColumns): IndexedFile {
  return { digest, sizeBytes: size_bytes, indexOffset: index_offset, indexBytes: index_bytes };
}

function packOf(row: Selectable<Tables["pack"]>): PackRow {
  const { library, created_at, retired_at, damaged_at } = row;
  return { ...indexedOf(row), library, createdAt: created_at, retiredAt: retired_at, damagedAt: damaged_at };
}
