import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, joinParts, latin1, partsOf, showName } from "../byte-string.ts";
import type { TarEntry } from "../tar/entry.ts";
import { safeParts } from "../unpack/safe-path.ts";

/** What an entry is to somebody who looks for a file. */
export interface IndexedEntry {
  readonly type: TarEntry["type"];
  readonly link: ByteString;
  readonly isExecutable: boolean;
  readonly size: number;
}

const DEPTH = 128;
const MOST_LINKS = 40;
const EXECUTABLE = 0o111;

/** The names of a tree that lies nowhere yet, with links resolved inside it as the kernel would after a change of root. */
export class TreeIndex {
  readonly #entries = new Map<ByteString, IndexedEntry>();

  /** Gives the entry's path from the tree's root. Throws where an installation would: a path that leaves, a parent that is a link. */
  add(entry: TarEntry): ByteString {
    const parts = safeParts(entry.path, DEPTH);
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = joinParts(parts.slice(0, depth));
      if (this.#entries.get(parent)?.type === "symlink") throw belowLink(entry.path, parent);
    }
    const path = joinParts(parts);
    this.#entries.set(path, this.#indexed(entry));
    return path;
  }

  /** Paths and entries directly in a folder, whose own name may hold links. */
  *inFolder(path: string): Generator<readonly [name: ByteString, entry: IndexedEntry]> {
    const folder = this.resolve(latin1(path));
    if (folder === undefined) return;
    const prefix = folder === "" ? "" : `${folder}/`;
    for (const [name, entry] of this.#entries) {
      if (name.startsWith(prefix) && !name.includes("/", prefix.length))
        yield [latin1(name.slice(prefix.length)), entry];
    }
  }

  /** The entry itself, with no link followed in its last component. */
  entryAt(path: string): IndexedEntry | undefined {
    const parts = partsOf(latin1(path));
    const name = parts.pop();
    const folder = this.resolve(joinParts(parts));
    return folder === undefined || name === undefined ? undefined : this.#entries.get(child(folder, name));
  }

  /** What `path` leads to when every link is followed. */
  fileAt(path: string): IndexedEntry | undefined {
    const found = this.resolve(latin1(path));
    return found === undefined ? undefined : this.#entries.get(found);
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
      const entry = this.#entries.get(child(joinParts(at), part));
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

  #indexed(entry: TarEntry): IndexedEntry {
    const linked = entry.type === "hardlink" ? this.#entries.get(joinParts(safeParts(entry.link, DEPTH))) : undefined;
    if (linked !== undefined) return linked;
    return { type: entry.type, link: entry.link, isExecutable: (entry.mode & EXECUTABLE) !== 0, size: entry.size };
  }
}

function child(folder: ByteString, name: ByteString): ByteString {
  return folder === "" ? name : latin1(`${folder}/${name}`);
}

function belowLink(path: ByteString, link: ByteString): HpsError {
  return new HpsError("invalid", `the archive holds ${showName(path)} below ${showName(link)}, which is a link in it`, {
    hint: "make the archive of a whole tree, not of several laid over each other",
  });
}
