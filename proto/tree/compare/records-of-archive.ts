import { ACL_ACCESS, ACL_DEFAULT, aclBytes, type IdOfName } from "../acl.ts";
import { type ByteString, joinParts, latin1 } from "../byte-string.ts";
import type { ByteSource } from "../compression/byte-source.ts";
import { type Decompressors, decompressed } from "../compression/decompress.ts";
import { linkToNothing } from "../tar/damage.ts";
import type { AclTexts, TarEntry, TarHandler, Xattr } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import { DEFAULT_LIMITS } from "../unpack/limits.ts";
import { safeParts } from "../unpack/safe-path.ts";
import { idsOfLists } from "../unpack/target-names.ts";
import { ContentHash } from "./content-hash.ts";
import type { TreeRecord, TreeRecords } from "./record.ts";

/** What a tree is after an archive, compressed or not, was unpacked into an empty folder. Nothing is written. */
export async function recordsOfArchive(source: ByteSource, decompressors: Decompressors = {}): Promise<TreeRecords> {
  const recorder = new Recorder();
  const reader = new TarReader(recorder);
  for await (const piece of decompressed(source, decompressors)) reader.push(piece);
  reader.end();
  return recorder.records();
}

/** An inode; `names` may still grow. */
type Inode = Omit<TreeRecord, "path" | "digest" | "xattrs" | "names"> & {
  readonly names: Set<ByteString>;
  readonly xattrs: readonly Xattr[];
  readonly acls: AclTexts;
  readonly content: ContentHash;
};

const LISTS = ["etc/passwd", "etc/group"];
const MOST_READ = 16 << 20;
/** An access list of owner, group and others alone is the mode: the kernel keeps no such attribute. */
const MINIMAL_ACL = 4 + 3 * 8;

class Recorder implements TarHandler {
  readonly #inodes = new Map<ByteString, Inode>();
  readonly #lists = new Map<string, Buffer[]>();
  /** All folders, those without an entry too. */
  readonly #parents = new Set<ByteString>();
  #current: { readonly path: ByteString; readonly inode: Inode } | undefined;

  entry(entry: TarEntry): void {
    const path = joinParts(safeParts(entry.path, DEFAULT_LIMITS.depth));
    const inode = entry.type === "hardlink" ? this.#linked(entry) : newInode(entry, entry.type);
    const before = this.#inodes.get(path);
    if (before === inode) return;
    before?.names.delete(path);
    if (this.#parents.has(path) && inode.type !== "directory") this.#dropBelow(path);
    for (const parent of parentsOf(path)) this.#parents.add(parent);
    inode.names.add(path);
    this.#inodes.set(path, inode);
    if (LISTS.includes(path)) this.#lists.set(path, []);
    this.#current = { path, inode };
  }

  data(bytes: Uint8Array, offset: number): void {
    if (this.#current === undefined) return;
    this.#current.inode.content.add(bytes, offset);
    if (offset < MOST_READ) this.#lists.get(this.#current.path)?.push(Buffer.from(bytes));
  }

  done(): void {
    this.#current = undefined;
  }

  records(): TreeRecords {
    const idOfName = idsOfLists(this.#list("etc/passwd"), this.#list("etc/group"));
    const finished = new Map<Inode, Omit<TreeRecord, "path">>();
    const records = new Map<ByteString, TreeRecord>();
    for (const [path, inode] of this.#inodes) {
      const known = finished.get(inode) ?? finish(inode, path, idOfName);
      finished.set(inode, known);
      records.set(path, { path, ...known });
    }
    return records;
  }

  #linked(entry: TarEntry): Inode {
    const inode = this.#inodes.get(joinParts(safeParts(entry.link, DEFAULT_LIMITS.depth)));
    if (inode === undefined) throw linkToNothing(entry);
    return inode;
  }

  #dropBelow(path: ByteString): void {
    for (const [below, inode] of this.#inodes) {
      if (!below.startsWith(`${path}/`)) continue;
      inode.names.delete(below);
      this.#inodes.delete(below);
    }
    for (const parent of this.#parents) {
      if (parent === path || parent.startsWith(`${path}/`)) this.#parents.delete(parent);
    }
  }

  #list(path: string): string {
    return Buffer.concat(this.#lists.get(path) ?? []).toString("utf8");
  }
}

function* parentsOf(path: ByteString): Generator<ByteString> {
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1))
    yield latin1(path.slice(0, slash));
}

function newInode(entry: TarEntry, type: Inode["type"]): Inode {
  const { uid, gid, mtime, size, link, major, minor, xattrs, acls } = entry;
  const mode = type === "symlink" ? 0o777 : entry.mode;
  const names = new Set<ByteString>();
  return { type, mode, uid, gid, mtime, size, link, major, minor, xattrs, acls, names, content: new ContentHash() };
}

function finish(inode: Inode, path: ByteString, idOfName: IdOfName): Omit<TreeRecord, "path"> {
  const { acls, content, names, xattrs, ...rest } = inode;
  const access = acls.access === undefined ? undefined : aclBytes(acls.access, idOfName, path);
  const byDefault = acls.default === undefined ? undefined : aclBytes(acls.default, idOfName, path);
  const all = [
    ...xattrs,
    ...(access === undefined || access.length === MINIMAL_ACL ? [] : [{ name: ACL_ACCESS, value: access }]),
    ...(byDefault === undefined ? [] : [{ name: ACL_DEFAULT, value: byDefault }]),
  ];
  return {
    ...rest,
    xattrs: all.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    names: inode.type === "directory" ? [] : names.size > 1 ? [...names].sort() : [],
    digest: rest.type === "file" ? content.digest(rest.size) : "",
  };
}
