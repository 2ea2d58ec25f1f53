import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, imageWanted } from "../../../proto/values/image-ref.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import type { Db } from "../../store/database.ts";
import { type NamedImageRow, SHARED_LIBRARY, selectImage, selectImageByDigest } from "../../store/images.ts";
import { librariesOf } from "../../store/packs.ts";

/**
 * What a reference means to a cluster now; undefined when it means nothing. A digest is looked for in the cluster's library,
 * then in the shared one. Without a cluster there is the shared one alone.
 */
export async function findImage(
  db: Db,
  clusterId: string | undefined,
  ref: ImageRef,
): Promise<NamedImageRow | undefined> {
  const wanted = imageWanted(ref);
  if (wanted.kind === "digest") {
    const libraries = clusterId === undefined ? [SHARED_LIBRARY] : librariesOf(clusterId);
    return await selectImageByDigest(db, libraries, wanted.digest);
  }
  if (wanted.shared) return await selectImage(db, SHARED_LIBRARY, wanted.name);
  if (clusterId === undefined) {
    throw new HpsError("invalid", `of which cluster is image ${wanted.name}?`, {
      hint: "name the cluster, or an image of the shared library: shared/name:tag",
    });
  }
  return await selectImage(db, clusterId, wanted.name);
}

export function noImage(ref: string): HpsError {
  return new HpsError("not-found", `no image ${safeText(ref)}`, { hint: "hpsctl image ls shows what there is" });
}
