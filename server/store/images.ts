import { type Selectable, sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

/** The library that every cluster may read. All others are called by the id of their cluster. */
export const SHARED_LIBRARY = "shared";

/** An image in a library. Its bytes are files, named by their digests. */
export interface ImageRow {
  /** UUIDv7. */
  readonly id: string;
  /** A cluster's id, or `shared`. */
  readonly library: string;
  /** `name:tag`, in the shared library `shared/name:tag`; empty: it has none, and is kept for its use. */
  readonly name: string;
  /** SHA-256 of the archive, or of the manifest, lower-case hex. */
  readonly digest: string;
  /** Of that file; a manifest's is compressed. */
  readonly sizeBytes: number;
  readonly format: Tables["image"]["format"];
  readonly contentBytes: number;
  readonly entries: number;
  /** What it needs to be booted and has not. */
  readonly lacks: readonly string[];
  readonly system: string;
  readonly kernel: string;
  readonly importedBy: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
  /** When the name was made, or moved to this image. */
  readonly namedAt: number;
  /** When its name goes by itself; null: never. */
  readonly expiresAt: number | null;
}

/** With the name of its cluster; empty in the shared library. */
export interface NamedImageRow extends ImageRow {
  readonly cluster: string;
}

/** Fails with a duplicate of `image.library` when the name is taken. */
export async function insertImage(tx: Tx, image: ImageRow): Promise<void> {
  await tx
    .insertInto("image")
    .values({
      id: image.id,
      library: image.library,
      cluster_id: image.library === SHARED_LIBRARY ? null : image.library,
      name: image.name === "" ? null : image.name,
      digest: image.digest,
      size_bytes: image.sizeBytes,
      format: image.format,
      content_bytes: image.contentBytes,
      entries: image.entries,
      lacks_json: JSON.stringify(image.lacks),
      system: image.system,
      kernel: image.kernel,
      imported_by: image.importedBy,
      created_at: image.createdAt,
      named_at: image.namedAt,
      expires_at: image.expiresAt,
    })
    .execute();
}

/** By its name in one library. */
export async function selectImage(db: Db, library: string, name: string): Promise<NamedImageRow | undefined> {
  const row = await namedImages(db).where("image.library", "=", library).where("image.name", "=", name);
  return await onlyOf(row);
}

/** By its digest, also one without a name: of the first of these libraries that has it. */
export async function selectImageByDigest(
  db: Db,
  libraries: readonly string[],
  digest: string,
): Promise<NamedImageRow | undefined> {
  const rows = await namedImages(db)
    .where("image.digest", "=", digest)
    .where("image.library", "in", [...libraries])
    .orderBy(sql`case when image.name is null then 1 else 0 end`)
    .orderBy("image.id")
    .execute();
  const found = libraries.map((library) => rows.find((row) => row.library === library));
  const row = found.find((candidate) => candidate !== undefined);
  return row && namedOf(row);
}

/** The newest image of packs under a name that begins so (`debian:`), but not this one. */
export async function selectNewestTag(
  db: Db,
  { library, title, except }: { readonly library: string; readonly title: string; readonly except: string },
): Promise<NamedImageRow | undefined> {
  const pattern = `${title.replace(/[\\%_]/g, "\\$&")}%`;
  const select = namedImages(db)
    .where("image.library", "=", library)
    .where(sql<boolean>`image.name like ${pattern} escape '\\'`)
    .where("image.format", "=", "packs")
    .where("image.digest", "!=", except)
    .orderBy("image.created_at", "desc")
    .orderBy("image.id", "desc");
  return await onlyOf(select.limit(1));
}

export interface ImageQuery {
  readonly clusters: "all" | readonly string[];
  /** Whether the shared library is listed too. */
  readonly shared: boolean;
  /** Only those after this one, by cluster and name. */
  readonly after?: { readonly cluster: string; readonly name: string };
  readonly limit: number;
}

/** Those that have a name, by cluster and name; the shared library's come first. */
export async function selectImages(db: Db, { clusters, shared, after, limit }: ImageQuery): Promise<NamedImageRow[]> {
  let select = namedImages(db).where("image.name", "is not", null).orderBy(CLUSTER).orderBy("image.name").limit(limit);
  if (clusters !== "all") {
    const libraries = [...clusters, ...(shared ? [SHARED_LIBRARY] : [])];
    if (libraries.length === 0) return [];
    select = select.where("image.library", "in", libraries);
  } else if (!shared) {
    select = select.where("image.library", "!=", SHARED_LIBRARY);
  }
  if (after !== undefined) {
    select = select.where((eb) =>
      eb.or([
        eb(CLUSTER, ">", after.cluster),
        eb.and([eb(CLUSTER, "=", after.cluster), eb("image.name", ">", after.name)]),
      ]),
    );
  }
  return (await select.execute()).map(namedOf);
}

export async function deleteImage(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("image").where("id", "=", id).execute();
}

/** When its name goes by itself; null: never. */
export async function updateExpiry(tx: Tx, id: string, expiresAt: number | null): Promise<void> {
  await tx.updateTable("image").set({ expires_at: expiresAt }).where("id", "=", id).execute();
}

/** Takes away the name alone: the image is kept for its use. */
export async function unnameImage(tx: Tx, id: string): Promise<void> {
  await tx.updateTable("image").set({ name: null, expires_at: null }).where("id", "=", id).execute();
}

/** The other rows of the same image in the same library. */
export async function countOthersOf(
  db: Db,
  { id, library, digest }: Pick<ImageRow, "id" | "library" | "digest">,
): Promise<number> {
  const row = await db
    .selectFrom("image")
    .select(({ fn }) => fn.countAll().as("count"))
    .where("library", "=", library)
    .where("digest", "=", digest)
    .where("id", "!=", id)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** How long the file of this archive or manifest is, as any library says; undefined when none has it. */
export async function selectStoredSize(db: Db, digest: string): Promise<number | undefined> {
  const select = db.selectFrom("image").select("size_bytes").where("digest", "=", digest).limit(1);
  return (await select.executeTakeFirst())?.size_bytes;
}

/** The file is another now, with the same meaning: a manifest's compressed form may differ. */
export async function updateStoredSize(tx: Tx, digest: string, sizeBytes: number): Promise<void> {
  await tx.updateTable("image").set({ size_bytes: sizeBytes }).where("digest", "=", digest).execute();
}

/** What files of archives and manifests there are to be, and how long. */
export async function selectImageFiles(db: Db): Promise<Pick<ImageRow, "digest" | "sizeBytes" | "format">[]> {
  const select = db.selectFrom("image").select(["digest", "size_bytes", "format"]).distinct().orderBy("digest");
  const rows = await select.execute();
  return rows.map(({ digest, size_bytes, format }) => ({ digest, sizeBytes: size_bytes, format }));
}

/** The columns of an image and the name of its cluster, to be narrowed. */
const CLUSTER = sql<string>`coalesce(cluster.name, '')`;

function namedImages(db: Db) {
  return db
    .selectFrom("image")
    .leftJoin("cluster", "cluster.id", "image.cluster_id")
    .selectAll("image")
    .select(CLUSTER.as("cluster"));
}

async function onlyOf(select: ReturnType<typeof namedImages>): Promise<NamedImageRow | undefined> {
  const row = await select.executeTakeFirst();
  return row && namedOf(row);
}

function namedOf(row: Selectable<Tables["image"]> & { readonly cluster: string }): NamedImageRow {
  return {
    id: row.id,
    library: row.library,
    cluster: row.cluster,
    name: row.name ?? "",
    digest: row.digest,
    sizeBytes: row.size_bytes,
    format: row.format,
    contentBytes: row.content_bytes,
    entries: row.entries,
    lacks: JSON.parse(row.lacks_json),
    system: row.system,
    kernel: row.kernel,
    importedBy: row.imported_by,
    createdAt: row.created_at,
    namedAt: row.named_at,
    expiresAt: row.expires_at,
  };
}
