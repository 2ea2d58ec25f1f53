import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parseTrailer, TRAILER_BYTES } from "../../proto/image/container.ts";
import { DELTA_HEAD, encodeDeltaEnd } from "../../proto/image/delta.ts";
import { type MadeObject, makeDeltaObjects } from "../../proto/image/delta-maker.ts";
import { planDelta } from "../../proto/image/delta-plan.ts";
import { PACK, parsePackIndex } from "../../proto/image/pack.ts";
import { openFrame } from "../../proto/image/pack-frame.ts";
import { bytesOf, latin1 } from "../../proto/tree/byte-string.ts";
import type { TestImage } from "./image-of-tree.ts";

/** `target` with a delta beside its packs, made out of the tree at `root`, whose image `base` is. */
export async function withDelta(base: TestImage, root: string, target: TestImage): Promise<TestImage> {
  const objects = contentsOf(target);
  const made: MadeObject[] = [];
  for (const task of planDelta(base.manifest, target.manifest)) {
    const content = {
      objects: target.manifest.objects,
      old: async ({ path }: { path: string }, offset: number, length: number) => part(root, path, offset, length),
      object: async (number: number) =>
        objects.get(target.manifest.objects[number]?.digest.toString("latin1") ?? "") ?? Buffer.alloc(0),
    };
    for await (const object of makeDeltaObjects(task, content)) made.push(object);
  }
  const digests = [base, target].map(({ files }) => Buffer.from(files.manifest.digest, "hex"));
  const [from = DELTA_HEAD, to = DELTA_HEAD] = digests;
  const end = encodeDeltaEnd({ base: from, target: to, objects: made.map(({ object }) => object) });
  const bytes = Buffer.concat([DELTA_HEAD, ...made.map((one) => one.bytes), end]);
  const delta = {
    digest: createHash("sha256").update(bytes).digest("hex"),
    sizeBytes: bytes.length,
    indexOffset: bytes.length - end.length,
    indexBytes: end.length - TRAILER_BYTES,
    base: base.files.manifest.digest,
  };
  const contents = new Map([...target.contents, [delta.digest, bytes]]);
  return { ...target, contents, files: { ...target.files, deltas: [delta] } };
}

/** All objects of an image's packs. */
function contentsOf({ files, contents }: TestImage): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const { digest } of files.packs) {
    const bytes = contents.get(digest) ?? Buffer.alloc(0);
    const trailer = parseTrailer(PACK, bytes.subarray(-TRAILER_BYTES), bytes.length);
    const { frames } = parsePackIndex(bytes.subarray(trailer.indexOffset, -TRAILER_BYTES), trailer);
    for (const frame of frames) {
      const objects = openFrame(bytes.subarray(frame.offset, frame.offset + frame.compressedBytes), frame);
      for (const [index, { digest: name }] of frame.objects.entries()) {
        found.set(name.toString("latin1"), objects[index] ?? Buffer.alloc(0));
      }
    }
  }
  return found;
}

function part(root: string, path: string, offset: number, length: number): Buffer {
  const fd = openSync(Buffer.concat([Buffer.from(`${root}/`), bytesOf(latin1(path))]), "r");
  const bytes = Buffer.alloc(length);
  const read = readSync(fd, bytes, 0, length, offset);
  closeSync(fd);
  return bytes.subarray(0, read);
}
