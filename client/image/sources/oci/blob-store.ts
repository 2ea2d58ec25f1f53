/** Where the files of a container image lie: a folder, or a tar archive of one. */
import { closeSync, fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../../../proto/config/overrides.ts";
import { bytesOf, joinParts, latin1, partsOf } from "../../../../proto/tree/byte-string.ts";
import type { TarEntry } from "../../../../proto/tree/tar/entry.ts";
import { TarReader } from "../../../../proto/tree/tar/reader.ts";
import { openPlainArchive, openSource, readAt } from "../archive-reader.ts";

/** A file of an image. */
export interface Blob {
  readonly sizeBytes: number;
  readonly bytes: () => AsyncGenerator<Buffer, void>;
}

export interface BlobStore extends Disposable {
  /** For messages: the folder's or the archive's path. */
  readonly path: string;
  /** Undefined when there is no such file. */
  readonly find: (name: string) => Blob | undefined;
}

export function folderStore(path: string): BlobStore {
  const find = (name: string): Blob | undefined => {
    const file = join(path, name);
    const found = statSync(file, { throwIfNoEntry: false });
    return found?.isFile() ? { sizeBytes: found.size, bytes: () => readFile(file) } : undefined;
  };
  return { path, find, [Symbol.dispose]: () => undefined };
}

async function* readFile(path: string): AsyncGenerator<Buffer, void> {
  const fd = openSource(path);
  try {
    yield* readAt(fd, 0, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

interface Member {
  readonly at: number;
  readonly size: number;
}

/** Links between the files of one archive: old versions of Docker write a layer that several images have once. */
const MOST_LINKS = 8;
const HEADER = 512;

/** Reads the archive at `path` once, to know what lies where in it. */
export async function archiveStore(path: string, environment: Environment, signal: AbortSignal): Promise<BlobStore> {
  const fd = await openPlainArchive(path, environment, signal);
  try {
    const { members, links } = await membersOf(fd, signal);
    const find = (name: string): Blob | undefined => {
      const member = members.get(followed(name, links));
      return member && { sizeBytes: member.size, bytes: () => readAt(fd, member.at, member.size) };
    };
    return { path, find, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function membersOf(fd: number, signal: AbortSignal) {
  const members = new Map<string, Member>();
  const links = new Map<string, string>();
  const reader = new TarReader({
    entry: (entry) => {
      const name = nameOf(entry.path);
      if (entry.type === "symlink" || entry.type === "hardlink") links.set(name, targetOf(entry));
      else if (entry.type === "file" && entry.segments === undefined) {
        members.set(name, { at: entry.at + HEADER, size: entry.size });
      }
    },
    data: () => undefined,
    done: () => undefined,
  });
  for await (const piece of readAt(fd, 0, fstatSync(fd).size)) {
    signal.throwIfAborted();
    reader.push(piece);
  }
  reader.end();
  return { members, links };
}

function followed(name: string, links: ReadonlyMap<string, string>): string {
  let at = name;
  for (let steps = 0; steps < MOST_LINKS; steps++) {
    const next = links.get(at);
    if (next === undefined) break;
    at = next;
  }
  return at;
}

function nameOf(path: TarEntry["path"]): string {
  return bytesOf(joinParts(partsOf(path))).toString("utf8");
}

/** A symlink's from where it lies, a hard link's from the archive's root. */
function targetOf({ type, path, link }: TarEntry): string {
  const parts = type === "hardlink" ? [] : partsOf(path).slice(0, -1);
  for (const part of partsOf(link)) {
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return nameOf(latin1(parts.join("/")));
}
