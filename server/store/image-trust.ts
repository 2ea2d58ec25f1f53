/** Signatures of images, and the sets of keys that clusters believe. */
import type { Db, Tx } from "./database.ts";
import type { HeldImage } from "./image-uses.ts";

export interface SignatureRow extends HeldImage {
  readonly name: string;
  /** 64 digits. */
  readonly keyId: string;
  /** The statement with its signature. */
  readonly signed: Uint8Array;
  readonly addedBy: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
}

export interface KeySetRow {
  readonly clusterId: string;
  readonly serial: number;
  /** The set, with its signature if it has one. */
  readonly signed: Uint8Array;
  readonly setBy: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
}

/** Takes the place of what the same key said before about the same name and content. */
export async function putSignature(tx: Tx, row: SignatureRow): Promise<void> {
  const { library, digest, name, keyId, signed, addedBy, createdAt } = row;
  const changing = { signed, added_by: addedBy, created_at: createdAt };
  await tx
    .insertInto("image_signature")
    .values({ library, image_digest: digest, name, key_id: keyId, ...changing })
    .onConflict((conflict) => conflict.columns(["library", "image_digest", "name", "key_id"]).doUpdateSet(changing))
    .execute();
}

/** Statements with their signatures, the newest first. */
export async function selectSignaturesOf(db: Db, { library, digest }: HeldImage): Promise<Uint8Array[]> {
  const rows = await db
    .selectFrom("image_signature")
    .select("signed")
    .where("library", "=", library)
    .where("image_digest", "=", digest)
    .orderBy("created_at", "desc")
    .orderBy("name")
    .orderBy("key_id")
    .execute();
  return rows.map(({ signed }) => signed);
}

/** Which keys said something about these images, and under what name. */
export async function selectSigners(
  db: Db,
  images: readonly HeldImage[],
): Promise<Pick<SignatureRow, "library" | "digest" | "name" | "keyId">[]> {
  if (images.length === 0) return [];
  const rows = await db
    .selectFrom("image_signature")
    .select(["library", "image_digest", "name", "key_id"])
    .where("library", "in", [...new Set(images.map(({ library }) => library))])
    .where("image_digest", "in", [...new Set(images.map(({ digest }) => digest))])
    .orderBy("key_id")
    .execute();
  return rows.map(({ library, image_digest, name, key_id }) => ({
    library,
    digest: image_digest,
    name,
    keyId: key_id,
  }));
}

/** Of an image that goes away. */
export async function deleteSignaturesOf(tx: Tx, { library, digest }: HeldImage): Promise<void> {
  await tx.deleteFrom("image_signature").where("library", "=", library).where("image_digest", "=", digest).execute();
}

export async function insertKeySet(tx: Tx, { clusterId, serial, signed, setBy, createdAt }: KeySetRow): Promise<void> {
  const row = { cluster_id: clusterId, serial, signed, set_by: setBy, created_at: createdAt };
  await tx.insertInto("image_key_set").values(row).execute();
}

/** All that a cluster ever had, oldest first: the last one counts. */
export async function selectKeySets(db: Db, clusterId: string): Promise<KeySetRow[]> {
  const select = db.selectFrom("image_key_set").selectAll().where("cluster_id", "=", clusterId).orderBy("serial");
  return (await select.execute()).map(({ cluster_id, serial, signed, set_by, created_at }) => ({
    ...{ clusterId: cluster_id, serial, signed, setBy: set_by, createdAt: created_at },
  }));
}

/** The set that counts, of each cluster that has one. */
export async function selectCurrentKeySets(db: Db): Promise<Uint8Array[]> {
  const rows = await db
    .selectFrom("image_key_set")
    .select("signed")
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom("image_key_set as later")
            .select("later.serial")
            .whereRef("later.cluster_id", "=", "image_key_set.cluster_id")
            .whereRef("later.serial", ">", "image_key_set.serial"),
        ),
      ),
    )
    .orderBy("cluster_id")
    .execute();
  return rows.map(({ signed }) => signed);
}
