import { type ByteString, byteString, latin1, showName } from "../tree/byte-string.ts";
import type { Segment } from "../tree/native/files.ts";
import type { EntryType, Xattr } from "../tree/tar/entry.ts";
import type { ByteReader } from "./byte-reader.ts";
import { EntryRules } from "./entry-rules.ts";
import * as limits from "./limits.ts";
import type { ManifestEntry } from "./manifest-entry.ts";

/** By the byte that stands for each in a manifest. */
export const TYPES: readonly (EntryType | undefined)[] = [
  undefined,
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character",
  "block",
  "fifo",
];

const NOTHING = { mode: 0, uid: 0, gid: 0, mtime: 0n, xattrs: [] } as const;
const SYMLINK_MODE = 0o777;
const SECOND = 1_000_000_000n;

/** The entries that `reader` stands before, each checked against all rules before it is given. `lengths` are those of the objects. */
export function* readEntries(
  reader: ByteReader,
  lengths: ArrayLike<number>,
): Generator<ManifestEntry, void, undefined> {
  const count = reader.number("the number of entries", limits.MOST_ENTRIES);
  const entries = new EntryReader(reader, lengths);
  for (let index = 0; index < count; index++) yield entries.next();
  entries.end();
}

/** Where an entry begins, and what it refers to of those before it. */
export interface EntryPlace {
  readonly position: number;
  /** Of the entry before. */
  readonly path: ByteString;
  readonly objectsUsed: number;
}

export class EntryReader {
  readonly #reader: ByteReader;
  readonly #rules: EntryRules | undefined;
  readonly #path = Buffer.alloc(limits.LONGEST_PATH);
  #pathLength = 0;
  #objectsUsed = 0;
  #start = 0;

  /** Without `lengths`, for what was checked before: no rule is looked at. */
  constructor(reader: ByteReader, lengths?: ArrayLike<number>) {
    this.#reader = reader;
    this.#rules = lengths && new EntryRules(lengths, (why) => this.#wrong(why));
  }

  /** Of the next entry. */
  get place(): EntryPlace {
    const path = byteString(this.#path.subarray(0, this.#pathLength));
    return { position: this.#reader.position, path, objectsUsed: this.#objectsUsed };
  }

  /** Goes on at another entry. */
  goTo({ position, path, objectsUsed }: EntryPlace): void {
    this.#reader.goTo(position);
    this.#pathLength = this.#path.write(path, "latin1");
    this.#objectsUsed = objectsUsed;
  }

  next(): ManifestEntry {
    this.#start = this.#reader.position;
    const type = TYPES[this.#reader.byte("an entry's type")];
    if (type === undefined) throw this.#reader.wrong("an entry of an unknown type", this.#start);
    const path = this.#nextPath();
    const about = type === "hardlink" ? NOTHING : this.#about(type === "symlink");
    const entry = { path, type, ...about, ...this.#ofType(type) };
    this.#rules?.add(entry);
    return entry;
  }

  end(): void {
    this.#start = this.#reader.position;
    this.#rules?.end();
    this.#reader.end();
  }

  #nextPath() {
    const shared = this.#reader.number("the part of a path that it shares", this.#pathLength);
    const rest = this.#reader.bytes("a path", limits.LONGEST_PATH - shared);
    if (shared < this.#pathLength && rest[0] === this.#path[shared]) {
      throw this.#reader.wrong("a path shares more with the one before than it says", this.#start);
    }
    this.#path.set(rest, shared);
    this.#pathLength = shared + rest.length;
    return byteString(this.#path.subarray(0, this.#pathLength));
  }

  #about(isSymlink: boolean) {
    const reader = this.#reader;
    const mode = isSymlink ? SYMLINK_MODE : reader.number("a mode", limits.LARGEST_MODE);
    const uid = reader.number("an owner", limits.LARGEST_ID);
    const gid = reader.number("a group", limits.LARGEST_ID);
    const seconds = reader.signed("a time", limits.FURTHEST_TIME);
    const nanoseconds = reader.number("a time's nanoseconds", 999_999_999);
    return { mode, uid, gid, mtime: BigInt(seconds) * SECOND + BigInt(nanoseconds), xattrs: this.#xattrs() };
  }

  #xattrs(): readonly Xattr[] {
    const count = this.#reader.number("the number of attributes", limits.LARGEST_XATTR_LIST);
    if (count === 0) return NOTHING.xattrs;
    const xattrs: Xattr[] = [];
    for (let index = 0; index < count; index++) {
      const name = byteString(this.#reader.bytes("an attribute's name", limits.LONGEST_XATTR_NAME));
      xattrs.push({ name, value: this.#reader.bytes("an attribute", limits.LARGEST_XATTR) });
    }
    return xattrs;
  }

  #ofType(type: EntryType) {
    const file = { size: 0, segments: undefined, objects: NO_NUMBERS, link: NO_LINK, target: 0, major: 0, minor: 0 };
    switch (type) {
      case "file":
        return this.#file(file);
      case "hardlink":
        return { ...file, target: this.#reader.number("the entry a hard link names", limits.MOST_ENTRIES) };
      case "symlink":
        return { ...file, link: byteString(this.#reader.bytes("a symlink's target", limits.LONGEST_PATH)) };
      case "character":
      case "block": {
        const major = this.#reader.number("a major number", limits.LARGEST_MAJOR);
        return { ...file, major, minor: this.#reader.number("a minor number", limits.LARGEST_MINOR) };
      }
      default:
        return file;
    }
  }

  #file<Rest extends object>(rest: Rest) {
    const size = this.#reader.number("a file's size", Number.MAX_SAFE_INTEGER);
    const segments = this.#segments(size);
    const stored = segments === undefined ? size : segments.reduce((sum, segment) => sum + segment.size, 0);
    if (stored > limits.MOST_CONTENT) throw this.#wrong(`more than ${limits.MOST_CONTENT} bytes of content`);
    const count = Math.ceil(stored / limits.LARGEST_OBJECT);
    return { ...rest, size, segments, objects: count === 0 ? NO_NUMBERS : this.#objects(count) };
  }

  /** Written as the gap before and the length of each. */
  #segments(size: number): Segment[] | undefined {
    const coded = this.#reader.number("the number of a file's pieces of data", limits.MOST_SEGMENTS + 1);
    if (coded === 0) return undefined;
    const segments: Segment[] = [];
    let end = 0;
    for (let index = 1; index < coded; index++) {
      const offset = end + this.#reader.number("a hole", size - end);
      const length = this.#reader.number("a piece of data", size - offset);
      segments.push({ offset, size: length });
      end = offset + length;
    }
    return segments;
  }

  #objects(count: number): number[] {
    const numbers: number[] = [];
    let used = this.#objectsUsed;
    for (let index = 0; index < count; index++) {
      const back = this.#reader.number("an object that was there before", used);
      numbers.push(used - back);
      if (back === 0) used += 1;
    }
    this.#objectsUsed = used;
    return numbers;
  }

  #wrong(why: string): Error {
    const name = showName(byteString(this.#path.subarray(0, this.#pathLength)));
    return this.#reader.wrong(this.#pathLength === 0 ? why : `entry ${name}: ${why}`, this.#start);
  }
}

const NO_LINK = latin1("");
const NO_NUMBERS: readonly number[] = [];
