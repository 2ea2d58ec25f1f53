import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, joinParts, latin1, partsOf, showName } from "../byte-string.ts";
import { linkToNothing } from "../tar/damage.ts";
import type { TarEntry } from "../tar/entry.ts";
import { safeParts } from "../unpack/safe-path.ts";
import { wrongRoot } from "../unpack/unpack-error.ts";

/** What an entry is to somebody who looks for a file. */
export interface IndexedEntry extends Pick<TarEntry, "link" | "mode" | "size"> {
  readonly type: Exclude<TarEntry["type"], "hardlink">;
}

interface Node<Item> {
  item: Item;
  /** Of a folder. */
  children: Map<ByteString, Node<Item>> | undefined;
}

const DEPTH = 128;
const MOST_LINKS = 40;
const ROOT = latin1("");

/** The names of a tree that lies nowhere yet, with links resolved inside it as the kernel would after a change of root. */
export class TreeIndex<Item extends IndexedEntry> {
  readonly #root: Node<Item>;
  readonly #folder: Item;

  /** `folder` stands for folders, the root among them, that no entry stands for. */
  constructor(folder: Item) {
    this.#folder = folder;
    this.#root = { item: folder, children: undefined };
  }

  /**
   * Puts `item` where `entry` belongs, in the place of what was there; a folder keeps what a folder before it holds. Gives the
   * path from the tree's root. Throws where unpacking would: a path that leaves, a parent that is no folder.
   */
  add(entry: TarEntry, item: Item): ByteString {
    const parts = safeParts(entry.path, DEPTH);
    const path = joinParts(parts);
    const name = parts.pop();
    const siblings = name === undefined ? undefined : this.#childrenOf(parts, entry.path);
    if (name === undefined || siblings === undefined) {
      if (item.type !== "directory") throw wrongRoot(entry);
      this.#root.item = item;
      return path;
    }
    const before = siblings.get(name);
    if (before?.item.type === "directory" && item.type === "directory") before.item = item;
    else if (before === undefined || before.item !== item) siblings.set(name, { item, children: undefined });
    return path;
  }

  /** What the hard link `entry` is another name of; throws when no entry before it is a file of that name. */
  linked(entry: TarEntry): Item {
    const linked = this.#nodeAt(safeParts(entry.link, DEPTH))?.item;
    if (linked === undefined || linked.type === "directory") throw linkToNothing(entry);
    return linked;
  }

  /** Takes all below a folder away, but for the paths that `keeps` names and the folders above them, which it must name too. */
  pruneBelow(path: ByteString, keeps: (path: ByteString) => boolean): void {
    const parts = safeParts(path, DEPTH);
    const folder = this.#nodeAt(parts);
    if (folder !== undefined) pruneNode(folder, joinParts(parts), keeps);
  }

  /** As `pruneBelow`, and the name itself too. */
  prune(path: ByteString, keeps: (path: ByteString) => boolean): void {
    const parts = safeParts(path, DEPTH);
    if (keeps(joinParts(parts))) {
      this.pruneBelow(path, keeps);
      return;
    }
    const name = parts.pop();
    if (name !== undefined) this.#nodeAt(parts)?.children?.delete(name);
  }

  /** All of it: the root first, siblings by the bytes of their names, children directly after their folder. */
  *walk(): Generator<readonly [path: ByteString, item: Item]> {
    yield [ROOT, this.#root.item];
    yield* walkBelow(this.#root, "");
  }

  /** Names and entries directly in a folder, whose own name may hold links. */
  inFolder(path: string): readonly (readonly [name: ByteString, item: Item])[] {
    const folder = this.resolve(latin1(path));
    const children = folder === undefined ? undefined : this.#nodeAt(partsOf(folder))?.children;
    return [...(children ?? [])].map(([name, { item }]) => [name, item] as const);
  }

  /** The entry itself, with no link followed in its last component. */
  entryAt(path: string): Item | undefined {
    const parts = partsOf(latin1(path));
    const name = parts.pop();
    const folder = this.resolve(joinParts(parts));
    return folder === undefined || name === undefined ? undefined : this.#nodeAt([...partsOf(folder), name])?.item;
  }

  /** What `path` leads to when every link is followed. */
  fileAt(path: string): Item | undefined {
    const found = this.resolve(latin1(path));
    return found === undefined ? undefined : this.#nodeAt(partsOf(found))?.item;
  }

  /** The path without links that `path` leads to; undefined when links go round in circles. What is not there resolves to itself. */
  resolve(path: ByteString): ByteString | undefined {
    const left = partsOf(path).reverse();
    let at: ByteString[] = [];
    for (let links = 0; left.length > 0; ) {
      const part = left.pop() ?? latin1("");
      if (part === "..") {
        at.pop();
        continue;
      }
      const item = this.#nodeAt([...at, part])?.item;
      if (item?.type !== "symlink") {
        at.push(part);
        continue;
      }
      links += 1;
      if (links > MOST_LINKS) return undefined;
      if (item.link.startsWith("/")) at = [];
      left.push(...partsOf(item.link).reverse());
    }
    return joinParts(at);
  }

  #nodeAt(parts: readonly ByteString[]): Node<Item> | undefined {
    let node: Node<Item> | undefined = this.#root;
    for (const part of parts) node = node?.children?.get(part);
    return node;
  }

  /** Of a folder, with those above it made as unpacking makes them. */
  #childrenOf(parts: readonly ByteString[], path: ByteString): Map<ByteString, Node<Item>> {
    let node = this.#root;
    for (const [depth, part] of parts.entries()) {
      node.children ??= new Map();
      const next: Node<Item> = node.children.get(part) ?? { item: this.#folder, children: undefined };
      if (next.item.type !== "directory") throw belowOther(path, joinParts(parts.slice(0, depth + 1)), next.item.type);
      node.children.set(part, next);
      node = next;
    }
    node.children ??= new Map();
    return node.children;
  }
}

function* walkBelow<Item>(folder: Node<Item>, prefix: string): Generator<readonly [path: ByteString, item: Item]> {
  for (const [name, node] of [...(folder.children ?? [])].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const path = latin1(`${prefix}${name}`);
    yield [path, node.item];
    if (node.children !== undefined) yield* walkBelow(node, `${path}/`);
  }
}

function pruneNode<Item>(folder: Node<Item>, path: ByteString, keeps: (path: ByteString) => boolean): void {
  for (const [name, node] of folder.children ?? []) {
    const below = path === "" ? name : latin1(`${path}/${name}`);
    if (keeps(below)) pruneNode(node, below, keeps);
    else folder.children?.delete(name);
  }
}

function belowOther(path: ByteString, parent: ByteString, type: string): HpsError {
  const what = type === "symlink" ? "a link" : `a ${type}`;
  return new HpsError(
    "invalid",
    `the archive holds ${showName(path)} below ${showName(parent)}, which is ${what} in it`,
    {
      hint: "make the archive of a whole tree, not of several laid over each other",
    },
  );
}
