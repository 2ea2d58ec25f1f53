import { encodeManifest, type Manifest, manifestDigest } from "../../proto/image/manifest.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { type DraftEntry, manifestOfDrafts } from "../../proto/image/manifest-of-drafts.ts";
import { aclBytes } from "../../proto/tree/acl.ts";
import { type ByteString, joinParts, partsOf } from "../../proto/tree/byte-string.ts";
import { TreeIndex } from "../../proto/tree/scan/tree-index.ts";
import { summaryOf, type TreeSummary } from "../../proto/tree/scan/tree-summary.ts";
import type { TarEntry, TarHandler } from "../../proto/tree/tar/entry.ts";
import { Budget, DEFAULT_LIMITS, type UnpackLimits } from "../../proto/tree/unpack/limits.ts";
import { safeParts } from "../../proto/tree/unpack/safe-path.ts";
import { idsOfLists } from "../../proto/tree/unpack/target-names.ts";
import { draftsOfTree } from "./drafts-of-tree.ts";
import { type FileContent, fileContent } from "./file-content.ts";
import { type ImageInode, inodeOf, MADE_FOLDER } from "./image-inode.ts";
import type { ObjectSpool } from "./object-spool.ts";

export interface BuilderOptions {
  readonly limits?: Partial<UnpackLimits>;
  /** Below a folder that is a link in the tree, an entry is refused, which is the default, or goes where the link leads inside it. */
  readonly links?: "refuse" | "follow";
}

/** An image, whole, before it is anywhere. */
export interface BuiltImage extends TreeSummary {
  readonly manifest: Manifest;
  /** The manifest as it is digested. */
  readonly raw: Buffer;
  /** SHA-256 of `raw`, lower-case hex: the image's name for ever. */
  readonly digest: string;
  /** Of all regular files, holes not counted: what unpacking writes. */
  readonly contentBytes: number;
  /** The content of one of its objects, at the beginning of `into` where that is given, or in memory of its own. */
  readonly read: (object: ImageObject, into?: Buffer) => Buffer;
}

/**
 * Makes an image of a tree that comes entry by entry, in any order: a later entry takes the place of an earlier one of its name,
 * folders that no entry stands for are root's, content goes to the spool and is hashed as it comes. The same tree gives the same
 * bytes, wherever it came from. Refuses what unpacking would refuse.
 */
export class ImageBuilder implements TarHandler {
  readonly #index = new TreeIndex<ImageInode>(MADE_FOLDER);
  readonly #spool: ObjectSpool;
  readonly #budget: Budget;
  readonly #follows: boolean;
  #current: { readonly inode: ImageInode; readonly path: ByteString; readonly content: FileContent } | undefined;

  constructor(spool: ObjectSpool, { limits, links = "refuse" }: BuilderOptions = {}) {
    this.#spool = spool;
    this.#budget = new Budget({ ...DEFAULT_LIMITS, ...limits });
    this.#follows = links === "follow";
  }

  /** Gives where in the tree the entry is. */
  entry(given: TarEntry): ByteString {
    this.#budget.addEntry(given.path);
    const entry = this.#follows ? this.#followed(given) : given;
    const inode = entry.type === "hardlink" ? this.#index.linked(entry) : inodeOf(entry, entry.type);
    if (entry.type === "hardlink") inode.isLinked = true;
    else this.#countKept(entry);
    const path = this.#index.add(entry, inode);
    const isFile = entry.type === "file";
    if (isFile) this.#current = { inode, path, content: fileContent(this.#spool, entry.size, entry.segments) };
    return path;
  }

  data(bytes: Uint8Array, offset: number): void {
    if (this.#current === undefined) return;
    this.#budget.addBytes(bytes.length, this.#current.path);
    this.#current.content.add(bytes, offset);
  }

  done(): void {
    if (this.#current === undefined) return;
    this.#current.inode.content = this.#current.content.end();
    this.#current = undefined;
  }

  /** Takes a name away, with all below it, but for the paths that `keeps` names and the folders above them. */
  prune(path: ByteString, keeps: (path: ByteString) => boolean): void {
    this.#index.prune(this.#place(path), keeps);
  }

  /** As `prune`, and the folder itself stays. */
  pruneBelow(path: ByteString, keeps: (path: ByteString) => boolean): void {
    this.#index.pruneBelow(this.#place(path), keeps);
  }

  /** After the last entry. The image reads its objects from the spool. */
  build(): BuiltImage {
    const drafts = [...draftsOfTree(this.#index, this.#aclBytes())];
    const manifest = manifestOfDrafts(drafts);
    const raw = encodeManifest(manifest);
    return {
      ...summaryOf(this.#index, (path) => this.#text(path)),
      ...{ manifest, raw, digest: manifestDigest(raw), contentBytes: contentBytes(drafts) },
      read: (object, into) => this.#spool.read(object, into),
    };
  }

  #countKept(entry: TarEntry): void {
    const { access = "", default: byDefault = "" } = entry.acls;
    const size = entry.xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
    this.#budget.addKept(size + access.length + byDefault.length, entry.path);
  }

  #followed(entry: TarEntry): TarEntry {
    const link = entry.type === "hardlink" ? this.#place(entry.link) : entry.link;
    return { ...entry, link, path: this.#place(entry.path) };
  }

  /** `path` with the links above its last name followed inside the tree; as it is where they go round in circles. */
  #place(path: ByteString): ByteString {
    const parts = safeParts(path, DEFAULT_LIMITS.depth);
    const name = parts.pop();
    const folder = this.#follows && name !== undefined ? this.#index.resolve(joinParts(parts)) : undefined;
    return folder === undefined || name === undefined ? path : joinParts([...partsOf(folder), name]);
  }

  /** By the tree's own lists of users and groups. */
  #aclBytes() {
    const idOfName = idsOfLists(this.#text("etc/passwd"), this.#text("etc/group"));
    return (text: ByteString, path: ByteString) => aclBytes(text, idOfName, path);
  }

  /** The first 4 MiB of a file; empty when there is none. */
  #text(path: string): string {
    const [first] = this.#index.fileAt(path)?.content?.objects ?? [];
    return first === undefined ? "" : this.#spool.read(first).toString("utf8");
  }
}

function contentBytes(drafts: readonly DraftEntry[]): number {
  return drafts.reduce((all, { content }) => all + content.reduce((sum, { length }) => sum + length, 0), 0);
}
