import type { Selectable } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

/** An archive under a name. Its bytes are a file, named by the digest. */
export interface ImageRow {
  /** UUIDv7. */
  readonly id: string;
  readonly clusterId: string;
  /** `name:tag` */
  readonly name: string;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly format: "tar" | "tar-zstd" | "tar-xz";
  readonly contentBytes: number;
  readonly entries: number;
  /** What it needs to be booted and has not. */
  readonly lacks: readonly string[];
  readonly system: string;
  readonly kernel: string;
  readonly importedBy: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
}

/** With the name of its cluster. */
export interface NamedImageRow extends ImageRow {
  readonly cluster: string;
}

/** Fails with a duplicate of `image.cluster_id` when the name is taken. */
export async function insertImage(tx: Tx, image: ImageRow): Promise<void> {
  await tx
    .insertInto("image")
    .values({
      id: image.id,
      cluster_id: image.clusterId,
      name: image.name,
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
    })
    .execute();
}

export async function selectImage(db: Db, clusterId: string, name: string): Promise<NamedImageRow | undefined> {
  const row = await namedImages(db)
    .where("image.cluster_id", "=", clusterId)
    .where("image.name", "=", name)
    .executeTakeFirst();
  return row && namedOf(row);
}

export interface ImageQuery {
  readonly clusters: "all" | readonly string[];
  /** Only those after this one, by cluster and name. */
  readonly after?: { readonly cluster: string; readonly name: string };
  readonly limit: number;
}

/** By cluster and name. */
export async function selectImages(db: Db, { clusters, after, limit }: ImageQuery): Promise<NamedImageRow[]> {
  if (clusters.length === 0) return [];
  let select = namedImages(db).orderBy("cluster.name").orderBy("image.name").limit(limit);
  if (clusters !== "all") select = select.where("image.cluster_id", "in", [...clusters]);
  if (after !== undefined) {
    select = select.where((eb) =>
      eb.or([
        eb("cluster.name", ">", after.cluster),
        eb.and([eb("cluster.name", "=", after.cluster), eb("image.name", ">", after.name)]),
      ]),
    );
  }
  return (await select.execute()).map(namedOf);
}

export async function deleteImage(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("image").where("id", "=", id).execute();
}

/** Whether any image, in any cluster, is this archive. */
export async function isDigestNamed(db: Db, digest: string): Promise<boolean> {
  const row = await db.selectFrom("image").select("id").where("digest", "=", digest).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** Of all images: what files there are to be, and how long. */
export async function selectImageFiles(db: Db): Promise<{ readonly digest: string; readonly sizeBytes: number }[]> {
  const rows = await db.selectFrom("image").select(["digest", "size_bytes"]).distinct().orderBy("digest").execute();
  return rows.map(({ digest, size_bytes }) => ({ digest, sizeBytes: size_bytes }));
}

/** The installation that has not ended and is of this image; undefined when there is none. */
export async function selectOpenUseOf(db: Db, clusterId: string, name: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("installation")
    .select("id")
    .where("cluster_id", "=", clusterId)
    .where("image", "=", name)
    .where("outcome", "=", "open")
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** Images of the host's unfinished installation and of its last that succeeded, with whose each is. */
export async function selectImagesOfHost(
  db: Db,
  hostId: string,
): Promise<(Pick<ImageRow, "digest" | "sizeBytes"> & { readonly installation: string })[]> {
  const rows = await db
    .selectFrom("installation")
    .innerJoin("image", (join) =>
      join.onRef("image.cluster_id", "=", "installation.cluster_id").onRef("image.name", "=", "installation.image"),
    )
    .select(["installation.id", "installation.outcome", "image.digest", "image.size_bytes"])
    .where("installation.host_id", "=", hostId)
    .where("installation.outcome", "in", ["open", "succeeded"])
    .orderBy("installation.id", "desc")
    .limit(2)
    .execute();
  const last = rows.find(({ outcome }) => outcome === "succeeded");
  return rows
    .filter((row) => row.outcome === "open" || row === last)
    .map(({ id, digest, size_bytes }) => ({ installation: id, digest, sizeBytes: size_bytes }));
}

function namedImages(db: Db) {
  return db
    .selectFrom("image")
    .innerJoin("cluster", "cluster.id", "image.cluster_id")
    .selectAll("image")
    .select("cluster.name as cluster");
}

function namedOf(row: Selectable<Tables["image"]> & { readonly cluster: string }): NamedImageRow {
  return {
    id: row.id,
    clusterId: row.cluster_id,
    cluster: row.cluster,
    name: row.name,
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
  };
}
