import type { FilePart } from "./jobs.ts";
import { isAtOnce, type Places } from "./places.ts";

/** Where a piece goes. */
export function partOf(places: Places, piece: number): FilePart {
  const { entry: number, index } = places.placeOf(piece);
  const file = places.entryAt(number);
  return { file, extents: isAtOnce(file) ? undefined : places.extentsOf(number)[index] };
}
