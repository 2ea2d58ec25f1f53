import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type FileHead, type FilePart, headOf, type KeptFile } from "./jobs.ts";
import { isAtOnce, type Pieces } from "./pieces.ts";

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
