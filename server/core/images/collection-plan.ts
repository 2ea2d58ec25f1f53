/** Which packs are worth to be made anew, and what images are read from then. Pure. */
import type { LibraryLife } from "./pack-life.ts";
import type { Repacked } from "./repack.ts";

/** A pack of which less is needed is made anew of what is. */
const LEAST_NEEDED = 0.5;

export interface CollectionPlan {
  /** By the number of the pack, with 1 for each object that is needed. */
  readonly repacked: readonly { readonly pack: number; readonly live: Uint8Array }[];
  /** Of the content that is written again. */
  readonly bytes: number;
}

/** Of the first `own` packs; the others are of other libraries and stay as they are. */
export function planCollection({ packs }: LibraryLife, own: number): CollectionPlan {
  const repacked = packs.slice(0, own).flatMap(({ live, liveBytes, rawBytes }, pack) => {
    const isWaste = live !== undefined && liveBytes > 0 && liveBytes < rawBytes * LEAST_NEEDED;
    return isWaste ? [{ pack, live, liveBytes }] : [];
  });
  return { repacked, bytes: repacked.reduce((sum, { liveBytes }) => sum + liveBytes, 0) };
}

/**
 * For each image the packs that it is to be read from, by their numbers; new ones are numbered after all that there were. Where
 * an old pack stood its new ones stand, and a pack that nothing is read from is left out.
 */
export function newReadings(
  { packs, images }: LibraryLife,
  { repacked }: CollectionPlan,
  { moved }: Repacked,
): readonly (readonly number[])[] {
  const places = new Map(repacked.map(({ pack }, at) => [pack, moved[at]?.map((made) => packs.length + made)]));
  return images.map((image) => [...new Set(image.packs.flatMap((pack) => places.get(pack) ?? [pack]))]);
}
