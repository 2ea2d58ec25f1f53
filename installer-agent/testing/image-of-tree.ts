import { createHash, hash } from "node:crypto";
import { TRAILER_BYTES } from "../../proto/image/container.ts";
import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import { compressManifest, encodeManifest, type Manifest, manifestDigest } from "../../proto/image/manifest.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { type DraftEntry, manifestOfDrafts } from "../../proto/image/manifest-of-drafts.ts";
import { encodePackEnd, PACK_HEAD, type PackFrame } from "../../proto/image/pack.ts";
import { compressFrame, FrameBuilder, type RawFrame } from "../../proto/image/pack-frame.ts";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import { type TreeNode, walkTree } from "../../proto/tree/walk/walk-tree.ts";
import type { ImageFiles, IndexedFile } from "../image/image-source.ts";
import type { AnnouncedTree } from "../image/manifest-bounds.ts";
import type { FileRef } from "../link/file-request.ts";

/** An image as a library would have it, in memory. */
export interface TestImage {
  readonly manifest: Manifest;
  readonly files: ImageFiles;
  /** Content of all files by their digests; the manifest's is that of its uncompressed bytes. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

interface Options {
  readonly level?: number;
  /** Objects that are in packs already. */
  readonly known?: ReadonlySet<string>;
  /** A pack is ended when it has as many frames. */
  readonly framesAPack?: number;
}

/** The image of the tree at `root`. Holes are what the file system says, a file with any being sparse. */
export async function imageOfTree(root: string, options: Options = {}): Promise<TestImage> {
  const { level = 3, known = new Set<string>(), framesAPack = Number.POSITIVE_INFINITY } = options;
  const seen = new Set(known);
  const builder = new FrameBuilder();
  const raws: RawFrame[] = [];
  const drafts: DraftEntry[] = [];
  const firstNames = new Map<string, ByteString>();
  for (const node of walkTree(root)) {
    const first = node.inode === undefined ? undefined : firstNames.get(node.inode);
    if (node.inode !== undefined && first === undefined) firstNames.set(node.inode, node.path);
    const content = first === undefined ? [...objectsOf(node)] : [];
    for (const { object, bytes } of content) {
      const key = object.digest.toString("latin1");
      if (seen.has(key)) continue;
      seen.add(key);
      const full = builder.add(object, bytes);
      if (full !== undefined) raws.push(full);
    }
    drafts.push(
      draftOf(
        node,
        first,
        content.map(({ object }) => object),
      ),
    );
  }
  const last = builder.end();
  if (last !== undefined) raws.push(last);
  const manifest = manifestOfDrafts(drafts);
  return await stored(manifest, raws, { level, framesAPack });
}

function draftOf(node: TreeNode, first: ByteString | undefined, content: readonly ImageObject[]): DraftEntry {
  const { path, mode, uid, gid, mtime, xattrs, size, link, major, minor } = node;
  const isSparse = node.type === "file" && size > 0 && !(node.segments[0]?.size === size);
  return {
    ...{ path, mode, uid, gid, mtime, xattrs, size, major, minor, content },
    type: first === undefined ? node.type : "hardlink",
    link: first ?? link,
    segments: isSparse ? node.segments : undefined,
  };
}

function* objectsOf(node: TreeNode): Generator<{ readonly object: ImageObject; readonly bytes: Buffer }> {
  let gathered: Buffer[] = [];
  let length = 0;
  const ended = () => {
    const bytes = Buffer.concat(gathered);
    gathered = [];
    length = 0;
    return { object: { digest: hash("sha256", bytes, "buffer"), length: bytes.length }, bytes };
  };
  for (const { bytes } of node.content()) {
    for (let at = 0; at < bytes.length; ) {
      const some = Buffer.from(bytes.subarray(at, at + LARGEST_OBJECT - length));
      gathered.push(some);
      length += some.length;
      at += some.length;
      if (length === LARGEST_OBJECT) yield ended();
    }
  }
  if (length > 0) yield ended();
}

async function stored(
  manifest: Manifest,
  raws: readonly RawFrame[],
  { level, framesAPack }: { readonly level: number; readonly framesAPack: number },
): Promise<TestImage> {
  const contents = new Map<string, Buffer>();
  const packs: IndexedFile[] = [];
  for (let at = 0; at < raws.length; at += framesAPack) {
    const { bytes, file } = await packOf(raws.slice(at, at + framesAPack), level);
    contents.set(file.digest, bytes);
    packs.push(file);
  }
  const raw = encodeManifest(manifest);
  const compressed = compressManifest(raw);
  const digest = manifestDigest(raw);
  contents.set(digest, compressed);
  const ref: FileRef = { digest, sizeBytes: compressed.length };
  return { manifest, contents, files: { tree: treeOf(manifest), manifest: ref, packs, deltas: [], baseUrls: [] } };
}

/** As hpsd announces it. */
export function treeOf({ entries, objects }: Manifest): AnnouncedTree {
  const lengths = entries.flatMap((entry) => entry.objects.map((object) => objects[object]?.length ?? 0));
  return { entries: entries.length, contentBytes: lengths.reduce((sum, length) => sum + length, 0) };
}

async function packOf(raws: readonly RawFrame[], level: number) {
  const parts = await Promise.all(raws.map(({ raw }) => compressFrame(raw, level)));
  const frames: Pick<PackFrame, "compressedBytes" | "objects">[] = raws.map(({ objects }, index) => ({
    compressedBytes: parts[index]?.length ?? 0,
    objects,
  }));
  const end = encodePackEnd(frames);
  const bytes = Buffer.concat([PACK_HEAD, ...parts, end]);
  const file = {
    digest: createHash("sha256").update(bytes).digest("hex"),
    sizeBytes: bytes.length,
    indexOffset: bytes.length - end.length,
    indexBytes: end.length - TRAILER_BYTES,
  };
  return { bytes, file };
}
