import type { Manifest } from "../../../proto/image/manifest.ts";
import type { PackFrame, PackIndex } from "../../../proto/image/pack.ts";

/** What an update brings over the wire. */
export interface Transfer {
  /** Content that the old image has not, as it is. */
  readonly contentBytes: number;
  /** What brings it, and the manifest: frames that hold it, or where there is one the delta from the old image. */
  readonly wireBytes: number;
  /** By frames alone. */
  readonly framesBytes: number;
  /** The same for a host that has nothing. */
  readonly wholeBytes: number;
}

/** The image that is updated to. */
export interface UpdateTarget {
  readonly manifest: Manifest;
  readonly manifestBytes: number;
  /** In the order in which they are asked for an object. */
  readonly packs: readonly { readonly index: PackIndex }[];
  /** Of the delta that makes it of the old one; undefined when there is none. */
  readonly deltaBytes: number | undefined;
}

/** A frame is fetched whole for any object in it, from the first pack that has the object. */
export function transferOf(before: Manifest, target: UpdateTarget): Transfer {
  const { manifest: after, manifestBytes, packs, deltaBytes } = target;
  const known = new Set(before.objects.map(({ digest }) => digest.toString("latin1")));
  const missing = after.objects.filter(({ digest }) => !known.has(digest.toString("latin1")));
  const frames = framesByObject(packs);
  const bytesOf = (objects: Manifest["objects"]) => {
    const wanted = new Set(objects.flatMap(({ digest }) => frames.get(digest.toString("latin1")) ?? []));
    return [...wanted].reduce((sum, { compressedBytes }) => sum + compressedBytes, manifestBytes);
  };
  const contentBytes = missing.reduce((sum, { length }) => sum + length, 0);
  const framesBytes = bytesOf(missing);
  const byDelta = deltaBytes === undefined ? framesBytes : deltaBytes + manifestBytes;
  return { contentBytes, framesBytes, wireBytes: Math.min(byDelta, framesBytes), wholeBytes: bytesOf(after.objects) };
}

function framesByObject(packs: UpdateTarget["packs"]): ReadonlyMap<string, PackFrame> {
  const frames = new Map<string, PackFrame>();
  for (const frame of packs.toReversed().flatMap(({ index }) => index.frames)) {
    for (const { digest } of frame.objects) frames.set(digest.toString("latin1"), frame);
  }
  return frames;
}
