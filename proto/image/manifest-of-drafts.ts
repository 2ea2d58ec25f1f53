import { type ByteString, latin1, showName } from "../tree/byte-string.ts";
import type { Xattr } from "../tree/tar/entry.ts";
import { HpsError } from "../values/hps-error.ts";
import type { Manifest } from "./manifest.ts";
import type { ImageObject, ManifestEntry } from "./manifest-entry.ts";
import { comparePaths } from "./paths.ts";

/**
 * An entry as a source has it: without the numbers of the manifest. A further name of an inode is a hard link whose `link` is
 * any other of its names; all else that one says is unread.
 */
export interface DraftEntry extends Omit<ManifestEntry, "objects" | "target"> {
  /** The objects of a file's data, in order. */
  readonly content: readonly ImageObject[];
}

/**
 * The manifest of a tree, however its entries come: in order, attributes too, objects numbered as they are first used, and
 * of an inode with several names the first in order is the one that the others are links to. Each path must be there once.
 */
export function manifestOfDrafts(drafts: readonly DraftEntry[]): Manifest {
  const inodes = inodesByPath(drafts);
  const numbers = new Map<string, number>();
  const objects: ImageObject[] = [];
  const numberOf = (object: ImageObject) => {
    const key = object.digest.toString("latin1");
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, objects.length);
    return objects.push(object) - 1;
  };
  const firstNames = new Map<DraftEntry, number>();
  const entries = drafts
    .toSorted((one, other) => comparePaths(one.path, other.path))
    .map(({ path }, index): ManifestEntry => {
      const inode = inodes.get(path) ?? missing(path);
      const target = firstNames.get(inode);
      if (target !== undefined) return { ...HARD_LINK, path, target };
      if (inode.type !== "directory") firstNames.set(inode, index);
      const { content, ...about } = inode;
      return { ...about, path, xattrs: about.xattrs.toSorted(byName), objects: content.map(numberOf), target: 0 };
    });
  return { objects, entries };
}

const HARD_LINK: Omit<ManifestEntry, "path" | "target"> = {
  type: "hardlink",
  mode: 0,
  uid: 0,
  gid: 0,
  mtime: 0n,
  xattrs: [],
  size: 0,
  segments: undefined,
  objects: [],
  link: latin1(""),
  major: 0,
  minor: 0,
};

/** What each path is a name of: itself, or what its hard links lead to. */
function inodesByPath(drafts: readonly DraftEntry[]): ReadonlyMap<ByteString, DraftEntry> {
  const named = new Map(drafts.map((draft) => [draft.path, draft]));
  const inodes = new Map<ByteString, DraftEntry>();
  for (const draft of drafts) {
    let inode = draft;
    for (let steps = 0; inode.type === "hardlink"; steps++) {
      inode = named.get(inode.link) ?? missing(draft.path);
      if (steps > LONGEST_CHAIN) missing(draft.path);
    }
    inodes.set(draft.path, inode);
  }
  return inodes;
}

/** Of hard links to hard links: archives have none, and a ring of them ends nowhere. */
const LONGEST_CHAIN = 64;

function missing(path: ByteString): never {
  throw new HpsError("invalid", `an image cannot hold ${showName(path)}: it is a hard link that leads to no file`);
}

function byName(one: Xattr, other: Xattr): number {
  return one.name < other.name ? -1 : 1;
}
