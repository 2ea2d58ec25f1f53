import { tmpdir } from "node:os";
import type { ManifestEntry } from "../../../proto/image/manifest-entry.ts";
import { compareTrees, showDifference } from "../../../proto/tree/compare/compare.ts";
import { ContentHash } from "../../../proto/tree/compare/content-hash.ts";
import type { TreeRecord, TreeRecords } from "../../../proto/tree/compare/record.ts";
import { TarReader } from "../../../proto/tree/tar/reader.ts";
import { inPieces } from "../../../proto/tree/testing/scratch.ts";
import type { BuilderOptions, BuiltImage } from "../image-builder.ts";
import { ImageBuilder } from "../image-builder.ts";
import { ObjectSpool } from "../object-spool.ts";
import { readFolder } from "../sources/folder-source.ts";

export const QUIET = { signal: new AbortController().signal, onBytes: () => undefined };

/** An image and where its content lies, until it is disposed of. */
export type Built = BuiltImage & Disposable;

export async function built(feed: (builder: ImageBuilder) => unknown, options?: BuilderOptions): Promise<Built> {
  const spool = new ObjectSpool({ TMPDIR: tmpdir() }, 0);
  try {
    const builder = new ImageBuilder(spool, options);
    await feed(builder);
    return { ...builder.build(), [Symbol.dispose]: () => spool[Symbol.dispose]() };
  } catch (error) {
    spool[Symbol.dispose]();
    throw error;
  }
}

export function imageOfFolder(root: string): Promise<Built> {
  return built((builder) => readFolder(root, builder, QUIET));
}

export function imageOfTar(archive: Uint8Array, options?: BuilderOptions): Promise<Built> {
  return built(async (builder) => {
    const reader = new TarReader(builder);
    for await (const piece of inPieces(archive, 5000)) reader.push(piece);
    reader.end();
  }, options);
}

/** What an image says its tree is. */
export function recordsOf({ manifest, read }: BuiltImage): TreeRecords {
  const names = new Map<number, TreeRecord["path"][]>();
  for (const [number, { type, target, path }] of manifest.entries.entries()) {
    const first = type === "hardlink" ? target : number;
    names.set(first, [...(names.get(first) ?? []), path]);
  }
  const records = manifest.entries.map((entry, index): TreeRecord => {
    const number = entry.type === "hardlink" ? entry.target : index;
    const inode = manifest.entries[number] ?? entry;
    if (inode.type === "hardlink") throw new Error("a hard link to a hard link");
    const { type, mode, uid, gid, mtime, size, link, major, minor, xattrs } = inode;
    const all = names.get(number) ?? [];
    const digest = type === "file" ? digestOf(inode, { manifest, read }) : "";
    const facts = { type, mode, uid, gid, mtime, size, link, major, minor, xattrs, digest };
    return { ...facts, path: entry.path, names: all.length > 1 ? all.sort() : [] };
  });
  return new Map(records.map((record) => [record.path, record]));
}

function digestOf(entry: ManifestEntry, { manifest, read }: Pick<BuiltImage, "manifest" | "read">): string {
  const hash = new ContentHash();
  const data = Buffer.concat(
    entry.objects.flatMap((number) => manifest.objects[number] ?? []).map((object) => read(object)),
  );
  let at = 0;
  for (const { offset, size } of entry.segments ?? [{ offset: 0, size: data.length }]) {
    hash.add(data.subarray(at, at + size), offset);
    at += size;
  }
  return hash.digest(entry.size);
}

export function differences(expected: TreeRecords, found: TreeRecords): string[] {
  return compareTrees(expected, found).map(showDifference);
}
