/** An image in memory, with its content, for tests of what is made of images. */
import { hash } from "node:crypto";
import { type ByteString, latin1 } from "../../tree/byte-string.ts";
import { LARGEST_OBJECT } from "../limits.ts";
import type { Manifest } from "../manifest.ts";
import type { ImageObject, ManifestEntry } from "../manifest-entry.ts";
import { manifestOfDrafts } from "../manifest-of-drafts.ts";
import { draft } from "./drafts.ts";

export interface SmallImage {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<ByteString, Buffer>;
  readonly contentOf: (object: ImageObject) => Buffer;
  readonly read: (entry: ManifestEntry, offset: number, length: number) => Buffer;
}

/** A tree of dense files; folders are made as they are needed. */
export function smallImage(contents: Readonly<Record<string, Buffer>>): SmallImage {
  const byDigest = new Map<string, Buffer>();
  const objectOf = (content: Buffer): ImageObject => {
    const digest = hash("sha256", content, "buffer");
    byDigest.set(digest.toString("latin1"), content);
    return { digest, length: content.length };
  };
  const folders = new Set([""]);
  const drafts = Object.entries(contents).map(([path, content]) => {
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) folders.add(path.slice(0, at));
    const cuts = Array.from({ length: Math.ceil(content.length / LARGEST_OBJECT) }, (_, index) =>
      objectOf(content.subarray(index * LARGEST_OBJECT, (index + 1) * LARGEST_OBJECT)),
    );
    return draft("file", path, { size: content.length, content: cuts });
  });
  const files = new Map(Object.entries(contents).map(([path, content]) => [latin1(path), content]));
  return {
    manifest: manifestOfDrafts([...[...folders].map((path) => draft("directory", path)), ...drafts]),
    files,
    contentOf: ({ digest }) => byDigest.get(digest.toString("latin1")) ?? fail("an object of another image"),
    read: ({ path }, offset, length) => (files.get(path) ?? fail(path)).subarray(offset, offset + length),
  };
}

function fail(what: string): never {
  throw new Error(`not here: ${what}`);
}
