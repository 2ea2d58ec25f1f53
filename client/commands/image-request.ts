import { imageWanted, parseImageRef } from "../../proto/values/image-ref.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr } from "../sdk/host-names.ts";

/** What names an image in requests: by its name, or by its digest in the chosen cluster's library and the shared one. */
export function imageRequest(hps: Hps, text: string) {
  const name = parseImageRef(text);
  const wanted = imageWanted(name);
  const isShared = wanted.kind === "name" && wanted.shared;
  return { cluster: isShared ? "" : clusterOr(hps.cluster), name };
}
