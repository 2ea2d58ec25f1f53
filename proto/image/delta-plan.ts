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
  const tasks: DeltaTask[] = [];
  for (const entry of target.entries) {
    const digestOf = (number: number) => target.objects[number]?.digest.toString("latin1") ?? "";
    const wanted = entry.objects.flatMap((number, index) =>
      done.has(digestOf(number)) ? [] : [{ number, offset: placeOfData(entry, index * LARGEST_OBJECT) }],
    );
    const source = wanted.length === 0 ? undefined : sources.like(entry);
    if (source === undefined) continue;
    const objects = wanted.filter(({ number }, index) => wanted.findIndex((one) => one.number === number) === index);
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

  like({ path, size }: ManifestEntry): ManifestEntry | undefined {
    return (
      this.#byPath.get(path) ??
      nearest(this.#byPattern.get(pattern(path)), size) ??
      nearest(this.#byName.get(pattern(nameOf(path))), size)
    );
  }
}

/** Names that stand for too much (README, changelog.gz) are compared with so many and no more. */
const MOST_COMPARED = 256;

function addTo(files: Map<string, ManifestEntry[]>, key: string, file: ManifestEntry): void {
  const found = files.get(key);
  if (found === undefined) files.set(key, [file]);
  else if (found.length < MOST_COMPARED) found.push(file);
}

function nearest(files: readonly ManifestEntry[] | undefined, size: number): ManifestEntry | undefined {
  return files?.reduce((best, file) => (Math.abs(file.size - size) < Math.abs(best.size - size) ? file : best));
}

/** Without its numbers: what a new version of a package calls its files. */
function pattern(path: string): string {
  return path.replace(/[0-9]+/g, "0");
}

function nameOf(path: ByteString): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
