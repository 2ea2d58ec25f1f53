/** Who needs an image: installations that have not ended, and hosts whose disk bears it. */
import type { Db } from "./database.ts";
import { type ImageRow, type NamedImageRow, SHARED_LIBRARY, selectImageByDigest } from "./images.ts";

/** An image of one library, by its digest. */
export type HeldImage = Pick<ImageRow, "library" | "digest">;

/** The installation that has not ended and is of it; undefined when there is none. */
export async function selectOpenUseOf(db: Db, { library, digest }: HeldImage): Promise<string | undefined> {
  let select = db
    .selectFrom("installation")
    .select("id")
    .where("image_digest", "=", digest)
    .where("outcome", "=", "open")
    .limit(1);
  if (library !== SHARED_LIBRARY) select = select.where("cluster_id", "=", library);
  return (await select.executeTakeFirst())?.id;
}

/** A host whose last installation wrote it; undefined when there is none. */
export async function selectHostOf(db: Db, { library, digest }: HeldImage): Promise<string | undefined> {
  let select = db
    .selectFrom("installation")
    .innerJoin("host", "host.id", "installation.host_id")
    .select("host.id")
    .where("installation.image_digest", "=", digest)
    .where("installation.outcome", "=", "succeeded")
    .where("installation.rescue", "=", 0)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom("installation as later")
            .select("later.id")
            .whereRef("later.host_id", "=", "installation.host_id")
            .whereRef("later.id", ">", "installation.id")
            .where("later.outcome", "=", "succeeded")
            .where("later.rescue", "=", 0),
        ),
      ),
    )
    .limit(1);
  if (library !== SHARED_LIBRARY) select = select.where("installation.cluster_id", "=", library);
  return (await select.executeTakeFirst())?.id;
}

/** When the oldest installation began that has not ended; undefined when there is none. */
export async function selectOldestOpen(db: Db): Promise<number | undefined> {
  const row = await db
    .selectFrom("installation")
    .select("created_at")
    .where("outcome", "=", "open")
    .orderBy("created_at")
    .limit(1)
    .executeTakeFirst();
  return row?.created_at;
}

/** Images that no longer have a name, in all libraries. */
export async function selectNameless(db: Db): Promise<Pick<ImageRow, "id" | "library" | "digest">[]> {
  return await db.selectFrom("image").select(["id", "library", "digest"]).where("name", "is", null).execute();
}

/** An image with the installation of a host that is of it. */
export type HostImage = NamedImageRow & { readonly installation: string };

/** Images of the host's unfinished installation and of its last that succeeded. */
export async function selectImagesOfHost(db: Db, hostId: string): Promise<HostImage[]> {
  const rows = await db
    .selectFrom("installation")
    .select(["id", "outcome", "cluster_id", "image_digest"])
    .where("host_id", "=", hostId)
    .where("outcome", "in", ["open", "succeeded"])
    .where("rescue", "=", 0)
    .orderBy("id", "desc")
    .limit(2)
    .execute();
  const last = rows.find(({ outcome }) => outcome === "succeeded");
  const found: HostImage[] = [];
  for (const { id, cluster_id, image_digest } of rows.filter((row) => row.outcome === "open" || row === last)) {
    const image = await selectImageByDigest(db, [cluster_id, SHARED_LIBRARY], image_digest);
    if (image !== undefined) found.push({ ...image, installation: id });
  }
  return found;
}
