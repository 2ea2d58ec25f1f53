import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type FileHead, type FilePart, headOf, type KeptFile } from "./jobs.ts";
import type { Pieces } from "./pieces.ts";

/** One object from end to end, without a hole: it is made and finished at once, and nothing else is ever written to it. */
export function isAtOnce({ segments, objects }: ManifestEntry): boolean {
  return segments === undefined && objects.length === 1;
}

/** A file that is finished when all of its pieces are there, or that is nothing but a hole. */
export function isFinishedLater(entry: ManifestEntry): boolean {
  return entry.type === "file" && entry.size > 0 && !isAtOnce(entry);
}

/** Where a piece goes. */
export function partOf(pieces: Pieces, piece: number): FilePart {
  const { entry: number, index } = pieces.placeOf(piece);
  const entry = pieces.entryAt(number);
  return { file: headOf(entry), piece, extents: isAtOnce(entry) ? undefined : pieces.extentsOf(number)[index] };
}

/** What a file of the target that is there from before should hold. */
export function keptFile(pieces: Pieces, number: number): KeptFile {
  const entry = pieces.entryAt(number);
  const [from] = pieces.ofEntry(number);
  const known = pieces.extentsOf(number).map((extents, index) => {
    const piece = from + index;
    return { piece, digest: pieces.digestOf(pieces.objectOf(piece)), extents };
  });
  return { file: headOf(entry), atOnce: isAtOnce(entry), pieces: known };
}

/** What of an entry a thread needs that makes it. */
export function madeEntry(entry: ManifestEntry): FileHead & Pick<ManifestEntry, "type" | "link" | "major" | "minor"> {
  const { type, link, major, minor } = entry;
  return { ...headOf(entry), type, link, major, minor };
}
