import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import type { Segment } from "../../proto/tree/native/files.ts";

/** Where in a file the bytes of each of its objects lie, in their order; an object of a sparse file may lie in many places. */
export function extentsOf({ size, segments }: Pick<ManifestEntry, "size" | "segments">): Segment[][] {
  const pieces: Segment[][] = [];
  let room = 0;
  for (const segment of segments ?? [{ offset: 0, size }]) {
    const end = segment.offset + segment.size;
    for (let at = segment.offset; at < end; ) {
      if (room === 0) {
        pieces.push([]);
        room = LARGEST_OBJECT;
      }
      const length = Math.min(room, end - at);
      pieces.at(-1)?.push({ offset: at, size: length });
      room -= length;
      at += length;
    }
  }
  return pieces;
}
