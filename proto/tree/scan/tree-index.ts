import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, joinParts, latin1, partsOf, showName } from "../byte-string.ts";
import { linkToNothing } from "../tar/damage.ts";
import type { TarEntry } from "../tar/entry.ts";
import { safeParts } from "../unpack/safe-path.ts";

/** What an entry is to somebody who looks for a file. */
export interface IndexedEntry {
  readonly type: TarEntry["type"];
  readonly link: ByteString;
  readonly isExecutable: boolean;
  readonly size: number;
}

interface Node {
  entry: IndexedEntry;
  /** Of a folder. */
  children: Map<ByteString, Node> | undefined;
}

const DEPTH = 128;
const MOST_LINKS = 40;
const EXECUTABLE = 0o111;
const FOLDER: IndexedEntry = { type: "directory", link: latin1(""), isExecutable: true, size: 0 };

/** The names of a tree that lies nowhere yet, with links resolved inside it as the kernel would after a change of root. */
export class TreeIndex {
  readonly #root: Node = { entry: FOLDER, children: undefined };

  /** Gives the entry's path from the tree's root. Throws where unpacking would: a path that leaves, a parent that is no folder. */
  add(entry: TarEntry): ByteString {
    const parts = safeParts(entry.path, DEPTH);
    const path = joinParts(parts);
    const name = parts.pop();
    if (name === undefined) return path;
    const indexed = this.#indexed(entry);
    const siblings = this.#childrenOf(parts, entry.path);
    const before = siblings.get(name);
    if (before?.entry.type === "directory" && indexed.type === "directory") before.entry = indexed;
    else if (before === undefined || before.entry !== indexed)
      siblings.set(name, { entry: indexed, children: undefined });
    return path;
  }

  /** Names and entries directly in a folder, whose own name may hold links. */
  inFolder(path: string): readonly (readonly [name: ByteString, entry: IndexedEntry])[] {
    const folder = this.resolve(latin1(path));
    const children = folder === undefined ? undefined : this.#nodeAt(partsOf(folder))?.children;
    return [...(children ?? [])].map(([name, { entry }]) => [name, entry] as const);
  }

  /** The entry itself, with no link followed in its last component. */
  entryAt(path: string): IndexedEntry | undefined {
    const parts = partsOf(latin1(path));
    const name = parts.pop();
    const folder = this.resolve(joinParts(parts));
    return folder === undefined || name === undefined ? undefined : this.#nodeAt([...partsOf(folder), name])?.entry;
  }

  /** What `path` leads to when every link is followed. */
  fileAt(path: string): IndexedEntry | undefined {
    const found = this.resolve(latin1(path));
    return found === undefined ? undefined : this.#nodeAt(partsOf(found))?.entry;
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
      const entry = this.#nodeAt([...at, part])?.entry;
      if (entry?.type !== "symlink") {
        at.push(part);
        continue;
      }
      links += 1;
      if (links > MOST_LINKS) return undefined;
      if (entry.link.startsWith("/")) at = [];
      left.push(...partsOf(entry.link).reverse());
    }
    return joinParts(at);
  }

  #nodeAt(parts: readonly ByteString[]): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of parts) node = node?.children?.get(part);
    return node;
  }

  /** Of a folder, with those above it made as unpacking makes them. */
  #childrenOf(parts: readonly ByteString[], path: ByteString): Map<ByteString, Node> {
    let node = this.#root;
    for (const [depth, part] of parts.entries()) {
      node.children ??= new Map();
      const next: Node = node.children.get(part) ?? { entry: FOLDER, children: undefined };
      if (next.entry.type !== "directory")
        throw belowOther(path, joinParts(parts.slice(0, depth + 1)), next.entry.type);
      node.children.set(part, next);
      node = next;
    }
    node.children ??= new Map();
    return node.children;
  }

  #indexed(entry: TarEntry): IndexedEntry {
    if (entry.type === "hardlink") {
      const linked = this.#nodeAt(safeParts(entry.link, DEPTH))?.entry;
      if (linked === undefined || linked.type === "directory") throw linkToNothing(entry);
      return linked;
    }
    return { type: entry.type, link: entry.link, isExecutable: (entry.mode & EXECUTABLE) !== 0, size: entry.size };
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
