import type { DeltaIndex, DeltaPiece, StoredDeltaObject } from "../../proto/image/delta.ts";
import { type ByteString, latin1 } from "../../proto/tree/byte-string.ts";
import type { DeltaJob, OldFile } from "./jobs.ts";
import type { OldRoot } from "./old-files.ts";
import type { Pieces } from "./pieces.ts";
import type { PlannedFrame } from "./plan-runs.ts";

/** An object that a delta makes, of files that are there. */
export interface PlannedDelta extends StoredDeltaObject {
  /** The image's number. */
  readonly number: number;
  readonly sources: DeltaJob["pieces"];
}

/** What of the lacking objects a delta makes out of files below `olds`, in its order. */
export function usableDeltas({ objects }: DeltaIndex, pieces: Pieces, olds: readonly OldRoot[]): PlannedDelta[] {
  const { manifest } = pieces;
  const lacking = new Map(
    pieces.lackingObjects().map((number) => [manifest.digest(number).toString("latin1"), number]),
  );
  return objects.flatMap((object) => {
    const number = lacking.get(object.digest.toString("latin1"));
    if (number === undefined || manifest.length(number) !== object.length) return [];
    return { ...object, number, sources: object.pieces.map((piece) => sourceOf(piece, olds)) };
  });
}

/**
 * Which of those deltas are worth it, `frames` being what would be fetched without any: a frame that is needed for something
 * else as well brings all it holds for nothing, and one that is smaller than the deltas is taken in their place.
 */
export function worthwhile(deltas: readonly PlannedDelta[], frames: readonly PlannedFrame[]): PlannedDelta[] {
  const byNumber = new Map(deltas.map((delta) => [delta.number, delta]));
  const kept = new Set<PlannedDelta>();
  for (const { objects, compressedBytes } of frames) {
    const wanted = [...objects].filter((number) => number !== -1);
    const made = wanted.flatMap((number) => byNumber.get(number) ?? []);
    const bytes = made.reduce((sum, delta) => sum + delta.compressedBytes, 0);
    if (made.length === wanted.length && bytes < compressedBytes) for (const delta of made) kept.add(delta);
  }
  return deltas.filter((delta) => kept.has(delta));
}

function sourceOf(
  { length, compressedBytes, window }: DeltaPiece,
  olds: readonly OldRoot[],
): DeltaJob["pieces"][number] {
  if (window === undefined) return { length, compressedBytes, window };
  const { offset, length: windowLength, path } = window;
  return { length, compressedBytes, window: { ...fileAt(path, olds), offset, length: windowLength } };
}

/** Where a file of the old system is: below the folder that is mounted deepest on its path. */
function fileAt(path: ByteString, olds: readonly OldRoot[]): OldFile {
  const above = olds.filter(({ prefix }) => prefix === "" || path.startsWith(`${prefix}/`));
  const [deepest] = above.toSorted((one, other) => other.prefix.length - one.prefix.length);
  if (deepest === undefined) return { root: olds[0]?.folder ?? "/", path };
  const { folder, prefix } = deepest;
  return { root: folder, path: prefix === "" ? path : latin1(path.slice(prefix.length + 1)) };
}
