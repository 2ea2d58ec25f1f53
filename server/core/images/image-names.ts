/** What a name of an image is made, moved and taken away by, in the caller's transaction. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { Db, Tx } from "../../store/database.ts";
import { deleteSignaturesOf } from "../../store/image-trust.ts";
import { selectHostOf, selectNameless, selectOpenUseOf } from "../../store/image-uses.ts";
import {
  countOthersOf,
  deleteImage,
  type ImageRow,
  insertImage,
  type NamedImageRow,
  selectImage,
  selectImageByDigest,
  unnameImage,
  updateExpiry,
} from "../../store/images.ts";
import { deleteDeltasOf, deletePacksOf, retireUnneededPacks } from "../../store/packs.ts";
import { noImage } from "./find-image.ts";

/** An image as it is to stand under a name. */
export type NewName = Omit<ImageRow, "id" | "namedAt">;

/** Enough of a row to take it away. */
type Released = Pick<ImageRow, "id" | "library" | "digest">;

export interface NamingOptions {
  /** The name may be another image's: it is moved. */
  readonly move: boolean;
  /** UTC milliseconds. */
  readonly now: number;
}

/** Whether the name stands for this image already; `exists` when it stands for another and may not be moved. */
export function isNamed(
  known: NamedImageRow | undefined,
  wanted: Pick<NewName, "name" | "digest">,
  move: boolean,
): known is NamedImageRow {
  if (known === undefined || known.digest !== wanted.digest) {
    if (known === undefined || move) return false;
    throw new HpsError("exists", `image ${wanted.name} is there already, with other content`, {
      hint: "images never change: give this one another tag, or move the name with --move",
      details: { digest: known.digest },
    });
  }
  return true;
}

/** Gives the image its name until it expires, and gives up what the name stood for before. */
export async function putName(tx: Tx, image: NewName, { move, now }: NamingOptions): Promise<NamedImageRow> {
  const known = await selectImage(tx, image.library, image.name);
  if (isNamed(known, image, move)) {
    await updateExpiry(tx, known.id, image.expiresAt);
    return { ...known, expiresAt: image.expiresAt };
  }
  if (known !== undefined) await releaseImage(tx, known, now);
  const nameless = await selectImageByDigest(tx, [image.library], image.digest);
  if (nameless?.name === "") await deleteImage(tx, nameless.id);
  await insertImage(tx, { ...image, id: newUuid(), namedAt: now });
  const made = await selectImage(tx, image.library, image.name);
  if (made === undefined) throw noImage(image.name);
  return made;
}

/** Takes the row away. When it was the image's last, the image stays for those who use it, without a name, or goes. */
export async function releaseImage(tx: Tx, image: Released, now: number): Promise<void> {
  if ((await countOthersOf(tx, image)) > 0) return await deleteImage(tx, image.id);
  if (await isUsed(tx, image)) return await unnameImage(tx, image.id);
  await deleteImage(tx, image.id);
  await deletePacksOf(tx, image);
  await deleteDeltasOf(tx, image);
  await deleteSignaturesOf(tx, image);
  await retireUnneededPacks(tx, now);
}

/** Images without a name that nobody uses any more; answers with their digests. */
export async function releaseUnused(tx: Tx, now: number): Promise<readonly string[]> {
  const released: string[] = [];
  for (const image of await selectNameless(tx)) {
    if (await isUsed(tx, image)) continue;
    await releaseImage(tx, image, now);
    released.push(image.digest);
  }
  return released;
}

/** `precondition` while the name is the last of an image that is being installed. */
export async function refuseInstalling(tx: Tx, image: NamedImageRow): Promise<void> {
  const user = await selectOpenUseOf(tx, image);
  if (user === undefined || (await countOthersOf(tx, image)) > 0) return;
  throw new HpsError("precondition", `image ${safeText(image.name)} is being installed by ${user}`, {
    hint: "wait for the end of that installation, or cancel it",
    details: { installation: user },
  });
}

/** Whether an installation of it is open or a host runs it. */
export async function isUsed(db: Db, image: Released): Promise<boolean> {
  return (await selectOpenUseOf(db, image)) !== undefined || (await selectHostOf(db, image)) !== undefined;
}
