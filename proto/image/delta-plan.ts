/** Which objects of a new image the old one lacks, and which of its files may help to make them. */
import type { ByteString } from "../tree/byte-string.ts";
import { LARGEST_OBJECT } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import type { ManifestEntry } from "./manifest-entry.ts";

export interface DeltaTask {
  /** The old file, by its entry in the base; undefined when none is like the new one. */
  readonly source: ManifestEntry | undefined;
  /** Objects of one new file, by their numbers in the target. */
  readonly objects: readonly {
    readonly number: number;
    /** Where its content begins in the new file, holes counted. */
    readonly offset: number;
  }[];
}

/**
 * All objects that the base lacks, each once, by the files of the target. Each file is paired with the old one that it most
 * likely came from: of the same path; else of the same path but for numbers in it (a version); else of the same name but for
 * numbers; of several, that of the nearest size.
 */
export function planDelta(base: Manifest, target: Manifest): DeltaTask[] {
  const done = new Set(base.objects.map(({ digest }) => digest.toString("latin1")));
  const sources = new OldFiles(base);
  const namesOf = furtherNames(target);
  return target.entries.flatMap((entry, index) => {
    const places = placesOfObjects(entry);
    const objects = entry.objects.flatMap((number, cut) => {
      const before = done.size;
      done.add(target.objects[number]?.digest.toString("latin1") ?? "");
      return done.size === before ? [] : [{ number, offset: places[cut] ?? 0 }];
    });
    if (objects.length === 0) return [];
    return [{ source: sources.like([entry.path, ...(namesOf.get(index) ?? [])], entry.size), objects }];
  });
}

/** Where the content of each object of a file begins in it. */
function placesOfObjects({ objects, segments, size }: ManifestEntry): number[] {
  const data = segments ?? [{ offset: 0, size }];
  let segment = 0;
  let before = 0;
  return objects.map((_, cut) => {
    const at = cut * LARGEST_OBJECT;
    for (; at >= before + (data[segment]?.size ?? Number.POSITIVE_INFINITY); segment++)
      before += data[segment]?.size ?? 0;
    return (data[segment]?.offset ?? 0) + at - before;
  });
}

/** The hard links to each entry, by its number. */
function furtherNames({ entries }: Manifest): ReadonlyMap<number, readonly ByteString[]> {
  const names = new Map<number, ByteString[]>();
  for (const { type, path, target } of entries) {
    if (type !== "hardlink") continue;
    const known = names.get(target);
    if (known === undefined) names.set(target, [path]);
    else known.push(path);
  }
  return names;
}

class OldFiles {
  readonly #byPath = new Map<ByteString, ManifestEntry>();
  readonly #byPattern = new Map<string, ManifestEntry[]>();
  readonly #byName = new Map<string, ManifestEntry[]>();

  constructor({ entries }: Manifest) {
    for (const entry of entries) {
      const file = entry.type === "hardlink" ? entries[entry.target] : entry;
      if (file === undefined || file.type !== "file" || file.size === 0) continue;
      this.#byPath.set(entry.path, file);
      addTo(this.#byPattern, pattern(entry.path), file);
      addTo(this.#byName, pattern(nameOf(entry.path)), file);
    }
  }

  /** The file that one of `paths`, all the names of a new file of `size` bytes, was or is most like. */
  like(paths: readonly ByteString[], size: number): ManifestEntry | undefined {
    const same = paths.map((path) => this.#byPath.get(path)).find((file) => file !== undefined);
    const like = (files: ReadonlyMap<string, ManifestEntry[]>, key: (path: ByteString) => string) =>
      nearest(
        paths.flatMap((path) => files.get(key(path)) ?? []),
        size,
      );
    return same ?? like(this.#byPattern, pattern) ?? like(this.#byName, (path) => pattern(nameOf(path)));
  }
}

/** Names that stand for too much (README, changelog.gz) are compared with so many and no more. */
const MOST_COMPARED = 256;

function addTo(files: Map<string, ManifestEntry[]>, key: string, file: ManifestEntry): void {
  const found = files.get(key);
  if (found === undefined) files.set(key, [file]);
  else if (found.length < MOST_COMPARED) found.push(file);
}

function nearest(files: readonly ManifestEntry[], size: number): ManifestEntry | undefined {
  return files.toSorted((one, other) => Math.abs(one.size - size) - Math.abs(other.size - size))[0];
}

/** Without its numbers: what a new version of a package calls its files. */
function pattern(path: string): string {
  return path.replace(/[0-9]+/g, "0");
}

function nameOf(path: ByteString): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
