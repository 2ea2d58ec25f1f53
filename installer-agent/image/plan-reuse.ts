import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { OldFile, ReuseJob } from "./jobs.ts";
import type { Pieces } from "./pieces.ts";

export interface FoundFile extends OldFile {
  readonly size: number;
  /** In the system that it is a part of. */
  readonly systemPath: ByteString;
}

/** The sizes of files of which something is lacking. */
export function lackingSizes(pieces: Pieces): ReadonlySet<number> {
  return new Set(pieces.lackingEntries().map((number) => pieces.entryAt(number).size));
}

/**
 * What to look for in which files of older systems: in those alone that are as long as a file of which something is
 * lacking; the one with the same path first. A sparse file is looked for in the one with its path, for only there would
 * its holes be the same.
 */
export function planReuse(pieces: Pieces, olds: readonly FoundFile[]): ReuseJob[] {
  const bySize = Map.groupBy(olds, ({ size }) => size);
  const classes = Map.groupBy(pieces.lackingEntries(), (number) => classOf(pieces.entryAt(number)));
  return [...classes.values()].flatMap((numbers) => {
    const entries = numbers.map((number) => pieces.entryAt(number));
    const size = entries[0]?.size ?? 0;
    const fitting = candidatesFor(entries, bySize.get(size) ?? []);
    return fitting.length === 0 ? [] : { ...jobOf(pieces, numbers), size, olds: fitting };
  });
}

/** Files of one class have their pieces in the same places. */
function classOf({ path, size, segments }: ManifestEntry): string {
  return segments === undefined ? `${size}` : `${size} ${path}`;
}

function candidatesFor(entries: readonly ManifestEntry[], candidates: readonly FoundFile[]): OldFile[] {
  const paths = new Set(entries.map(({ path }) => path));
  const same = candidates.filter(({ systemPath }) => paths.has(systemPath));
  const isDense = entries.every(({ segments }) => segments === undefined);
  const fitting = isDense ? [...same, ...candidates.filter(({ systemPath }) => !paths.has(systemPath))] : same;
  return fitting.map(({ root, path }) => ({ root, path }));
}

function jobOf(pieces: Pieces, numbers: readonly number[]): Pick<ReuseJob, "kind" | "pieces"> {
  const places = pieces.extentsOf(numbers[0] ?? 0).map((extents, index) => {
    const wanted = new Map<number, { readonly digest: Uint8Array; readonly places: number[] }>();
    for (const number of numbers) {
      const piece = pieces.ofEntry(number)[0] + index;
      if (pieces.isGood(piece)) continue;
      const object = pieces.objectOf(piece);
      const known = wanted.get(object) ?? { digest: pieces.digestOf(object), places: [] };
      known.places.push(piece);
      wanted.set(object, known);
    }
    return { extents, wanted: [...wanted.values()] };
  });
  return { kind: "reuse", pieces: places };
}
