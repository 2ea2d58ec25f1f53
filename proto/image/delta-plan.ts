/** Which objects of a new image could be made from the old one, and of which of its files. */
import type { ByteString } from "../tree/byte-string.ts";
import { LARGEST_OBJECT } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import type { ManifestEntry } from "./manifest-entry.ts";

export interface DeltaTask {
  /** The old file, by its entry in the base. */
  readonly source: ManifestEntry;
  /** Objects of one new file that the base does not have, by their numbers in the target. */
  readonly objects: readonly {
    readonly number: number;
    /** Where its content begins in the new file, holes counted. */
    readonly offset: number;
  }[];
}

/**
 * Pairs each new file that has objects of its own with the old file that it most likely came from: the one of the same path;
 * else of the same path but for numbers in it (a version); else of the same name but for numbers, of the nearest size.
 */
export function planDelta(base: Manifest, target: Manifest): DeltaTask[] {
  const done = new Set(base.objects.map(({ digest }) => digest.toString("latin1")));
  const sources = new OldFiles(base);
  const namesOf = furtherNames(target);
  const tasks: DeltaTask[] = [];
  for (const [index, entry] of target.entries.entries()) {
    const digestOf = (number: number) => target.objects[number]?.digest.toString("latin1") ?? "";
    const wanted = entry.objects.flatMap((number, cut) =>
      done.has(digestOf(number)) ? [] : [{ number, offset: placeOfData(entry, cut * LARGEST_OBJECT) }],
    );
    const source =
      wanted.length === 0 ? undefined : sources.like([entry.path, ...(namesOf.get(index) ?? [])], entry.size);
    if (source === undefined) continue;
    const objects = wanted.filter(({ number }, at) => wanted.findIndex((one) => one.number === number) === at);
    for (const { number } of objects) done.add(digestOf(number));
    tasks.push({ source, objects });
  }
  return tasks;
}

/** Where the byte number `at` of a file's data stands in the file. */
function placeOfData(entry: ManifestEntry, at: number): number {
  let before = 0;
  for (const { offset, size } of entry.segments ?? []) {
    if (at < before + size) return offset + at - before;
    before += size;
  }
  return at;
}

/** The hard links to each entry, by its number. */
function furtherNames({ entries }: Manifest): ReadonlyMap<number, readonly ByteString[]> {
  const names = new Map<number, ByteString[]>();
  for (const { type, path, target } of entries) {
    if (type === "hardlink") names.set(target, [...(names.get(target) ?? []), path]);
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
