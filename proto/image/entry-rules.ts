/** What every manifest holds to, whether it is written or read. */
import { type ByteString, latin1 } from "../tree/byte-string.ts";
import type { Segment } from "../tree/native/files.ts";
import type { Xattr } from "../tree/tar/entry.ts";
import type { Refuse } from "./damage.ts";
import * as limits from "./limits.ts";
import type { ManifestEntry } from "./manifest-entry.ts";
import { compareAfter, ROOT, sharedLength } from "./paths.ts";

const SLASH = 47;
const FURTHEST = BigInt(limits.FURTHEST_TIME) * 1_000_000_000n;

/** Is told the entries of one manifest in order, and throws at the first that cannot stand there. */
export class EntryRules {
  /** Of the objects. */
  readonly #lengths: ArrayLike<number>;
  readonly #refuse: Refuse;
  /** For each entry so far, whether a hard link may name it. */
  readonly #linkable: boolean[] = [];
  /** The folders that the last path leads through, by the length of their paths. */
  #folders: number[] = [];
  #previous = ROOT;
  #objectsUsed = 0;
  #content = 0;

  /** `lengths` are those of the manifest's objects. */
  constructor(lengths: ArrayLike<number>, refuse: Refuse) {
    this.#lengths = lengths;
    this.#refuse = refuse;
  }

  /** How many of the objects the entries so far name. */
  get objectsUsed(): number {
    return this.#objectsUsed;
  }

  add(entry: ManifestEntry): void {
    if (this.#linkable.length === limits.MOST_ENTRIES) throw this.#refuse(`more than ${limits.MOST_ENTRIES} entries`);
    if (this.#linkable.length === 0) this.#root(entry);
    else this.#place(entry.path);
    if (entry.type === "directory") this.#folders.push(entry.path.length);
    this.#previous = entry.path;
    this.#about(entry);
    this.#linkable.push(entry.type !== "directory" && entry.type !== "hardlink");
  }

  end(): void {
    if (this.#linkable.length === 0) throw this.#refuse("it has no entry, not even the root");
    const unused = this.#lengths.length - this.#objectsUsed;
    if (unused > 0) throw this.#refuse(`${unused} of the objects belong to no file`);
  }

  #root(entry: ManifestEntry): void {
    if (entry.path !== ROOT || entry.type !== "directory") throw this.#refuse("the first entry is not the root folder");
  }

  /** In order, and in a folder that is there. */
  #place(path: ByteString): void {
    if (path.length > limits.LONGEST_PATH) throw this.#refuse(`its path is longer than ${limits.LONGEST_PATH} bytes`);
    const shared = sharedLength(this.#previous, path);
    if (compareAfter(this.#previous, path, shared) >= 0) throw this.#refuse("it is out of order");
    while (this.#folders.length > 1 && !isBelow(path, this.#folders.at(-1) ?? 0, shared)) this.#folders.pop();
    if (this.#folders.length > limits.DEEPEST_PATH) {
      throw this.#refuse(`it lies more than ${limits.DEEPEST_PATH} folders deep`);
    }
    const folder = this.#folders.at(-1) ?? 0;
    this.#name(path.slice(folder === 0 ? 0 : folder + 1));
  }

  #name(name: string): void {
    if (name.includes("/")) throw this.#refuse("the folder it lies in is not there, or its path is not in plain form");
    if (name === "" || name === "." || name === "..") throw this.#refuse("its last name is empty, . or ..");
    if (name.includes("\0")) throw this.#refuse("its name holds a zero byte");
    if (name.length > limits.LONGEST_NAME) throw this.#refuse(`its name is longer than ${limits.LONGEST_NAME} bytes`);
  }

  #about(entry: ManifestEntry): void {
    switch (entry.type) {
      case "hardlink":
        if (this.#linkable[entry.target] !== true) {
          throw this.#refuse("it is a hard link to no earlier file, symlink, device or fifo");
        }
        return;
      case "file":
        this.#file(entry);
        break;
      case "symlink":
        checkTarget(entry.link, this.#refuse);
        break;
      case "character":
      case "block":
        this.#atMost("its major number", entry.major, limits.LARGEST_MAJOR);
        this.#atMost("its minor number", entry.minor, limits.LARGEST_MINOR);
        break;
      default:
    }
    this.#owner(entry);
    checkXattrs(entry.xattrs, this.#refuse);
  }

  #owner(entry: ManifestEntry): void {
    this.#atMost("its mode", entry.mode, limits.LARGEST_MODE);
    this.#atMost("its owner", entry.uid, limits.LARGEST_ID);
    this.#atMost("its group", entry.gid, limits.LARGEST_ID);
    if (entry.mtime > FURTHEST || entry.mtime < -FURTHEST) throw this.#refuse("its time is beyond all bounds");
  }

  #file(entry: ManifestEntry): void {
    this.#atMost("its size", entry.size, Number.MAX_SAFE_INTEGER);
    const stored = entry.segments === undefined ? entry.size : checkSegments(entry.segments, entry.size, this.#refuse);
    this.#content += stored;
    if (this.#content > limits.MOST_CONTENT) throw this.#refuse(`more than ${limits.MOST_CONTENT} bytes of content`);
    const count = Math.ceil(stored / limits.LARGEST_OBJECT);
    if (entry.objects.length !== count) throw this.#refuse(`it has ${entry.objects.length} objects, not ${count}`);
    for (const [index, object] of entry.objects.entries()) {
      this.#use(object, Math.min(stored - index * limits.LARGEST_OBJECT, limits.LARGEST_OBJECT));
    }
  }

  #use(number: number, length: number): void {
    const found = this.#lengths[number];
    if (found === undefined || number > this.#objectsUsed) {
      throw this.#refuse("it has an object before the objects of the files before it");
    }
    if (found !== length) throw this.#refuse(`an object of ${found} bytes stands for ${length}`);
    if (number === this.#objectsUsed) this.#objectsUsed += 1;
  }

  #atMost(what: string, value: number, most: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value > most) throw this.#refuse(`${what} is beyond all bounds`);
  }
}

/** Whether `path`, whose first `shared` bytes are the path before it, lies in the folder of that path's first `length` bytes. */
function isBelow(path: ByteString, length: number, shared: number): boolean {
  return shared >= length && path.charCodeAt(length) === SLASH;
}

function checkTarget(link: ByteString, refuse: Refuse): void {
  if (link === "" || link.includes("\0")) throw refuse("it is a symlink to nothing, or to a name with a zero byte");
  if (link.length > limits.LONGEST_PATH) throw refuse("it is a symlink to a path longer than any");
}

/** The bytes they hold. */
function checkSegments(segments: readonly Segment[], size: number, refuse: Refuse): number {
  if (segments.length > limits.MOST_SEGMENTS) throw refuse(`it has more than ${limits.MOST_SEGMENTS} pieces of data`);
  let end = 0;
  let stored = 0;
  for (const [index, segment] of segments.entries()) {
    if (segment.size <= 0 || segment.offset < end || (segment.offset === end && index > 0)) {
      throw refuse("its pieces of data are empty, overlap, touch or are out of order");
    }
    end = segment.offset + segment.size;
    if (end > size) throw refuse("its pieces of data pass its end");
    if (segment.offset % limits.HOLE_BLOCK !== 0 || (end % limits.HOLE_BLOCK !== 0 && end !== size)) {
      throw refuse(`a hole does not begin and end at a multiple of ${limits.HOLE_BLOCK}`);
    }
    stored += segment.size;
  }
  if (stored === size) throw refuse("it is called sparse and has no hole");
  return stored;
}

function checkXattrs(xattrs: readonly Xattr[], refuse: Refuse): void {
  let before = latin1("");
  let listed = 0;
  for (const { name, value } of xattrs) {
    if (name.length > limits.LONGEST_XATTR_NAME || name.includes("\0")) {
      throw refuse("an attribute's name is too long or holds a zero byte");
    }
    if (name <= before) throw refuse("its attributes are nameless, out of order or there twice");
    if (value.length > limits.LARGEST_XATTR) throw refuse(`an attribute is longer than ${limits.LARGEST_XATTR} bytes`);
    listed += name.length + 1;
    before = name;
  }
  if (listed > limits.LARGEST_XATTR_LIST) throw refuse("it has more attributes than a kernel lists");
}
