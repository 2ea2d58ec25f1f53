/** Names of images: when they came to what they stand for, and which go by themselves. */
import type { Db } from "./database.ts";
import type { ImageRow } from "./images.ts";

/** A name with what decides whether it stays. */
export type NameRow = Pick<ImageRow, "id" | "library" | "name" | "digest" | "namedAt" | "expiresAt">;

/** A library that keeps but so many tags of each name. */
export interface KeepRule {
  readonly library: string;
  readonly keep: number;
}

/** Libraries with a name that was to go by now. */
export async function selectExpiringLibraries(db: Db, now: number): Promise<string[]> {
  const select = db.selectFrom("image").select("library").distinct().where("name", "is not", null);
  return (await select.where("expires_at", "<=", now).orderBy("library").execute()).map(({ library }) => library);
}

/** All names of a library, the last to be made or moved first. */
export async function selectNames(db: Db, library: string): Promise<NameRow[]> {
  const rows = await db
    .selectFrom("image")
    .select(["id", "library", "name", "digest", "named_at", "expires_at"])
    .where("library", "=", library)
    .where("name", "is not", null)
    .orderBy("named_at", "desc")
    .orderBy("id", "desc")
    .execute();
  return rows.map(({ name, named_at, expires_at, ...row }) => {
    return { ...row, name: name ?? "", namedAt: named_at, expiresAt: expires_at };
  });
}

/** Of all clusters that have a rule, or of this one. */
export async function selectKeepRules(db: Db, clusterId?: string): Promise<KeepRule[]> {
  let select = db.selectFrom("cluster").select(["id", "image_keep"]).where("image_keep", ">", 0).orderBy("id");
  if (clusterId !== undefined) select = select.where("id", "=", clusterId);
  return (await select.execute()).map(({ id, image_keep }) => ({ library: id, keep: image_keep }));
}
