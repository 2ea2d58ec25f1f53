/** Images of packs for a real hpsd, brought as hpsctl brings them, and its library looked through from the outside. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { uploadImage } from "../../client/image/upload.ts";
import type { Hps } from "../../client/sdk/connect.ts";
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { manifestBytes, parseManifest } from "../../proto/image/manifest.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { openFrame } from "../../proto/image/pack-frame.ts";
import { readPackIndex } from "../../server/core/images/pack-frames.ts";
import { noise, type TestImage, testImage } from "../../server/core/images/testing-upload.ts";

const MIB = 1 << 20;
/** Deltas are made by and by, and no image needs them. */
const PARTS = ["manifests", "packs"] as const;
const QUIET = { onWanted: () => undefined, onBytes: () => undefined };

/** Where an hpsd keeps what it has. */
interface State {
  readonly state: string;
}

/** An image of files of noise. */
export function imageOf(files: readonly string[], size = MIB): TestImage {
  return testImage(Object.fromEntries(files.map((name) => [name, noise(name, size)])));
}

/** In the order in which an image has them. */
export function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}-${String(at).padStart(3, "0")}`);
}

/** As hpsctl uploads. */
export async function upload(hps: Hps, name: string, image: TestImage): Promise<Image> {
  const read = ({ digest }: ImageObject) => image.content.get(digest.toString("latin1")) ?? expect.unreachable();
  const found = { system: "", kernel: "", lacks: [], contentBytes: 0 };
  const { digest, manifest, raw } = image;
  return await uploadImage(
    (requests, options) => hps.images.uploadImage(requests, options),
    { digest, manifest, raw, read, ...found },
    { cluster: "lab", name },
    QUIET,
  );
}

/** The library's files on the disk, as `packs/<digest>`. */
export function filesIn({ state }: State): string[] {
  return PARTS.flatMap((part) => readdirSync(path.join(state, "images", part)).map((name) => `${part}/${name}`)).sort();
}

/** Reads every byte of every image: each object is there, in a pack that is what its name says. Answers which files that takes. */
export async function verified(hpsd: State, hps: Hps): Promise<string[]> {
  const { images } = await hps.images.listImages({ cluster: "lab", pageSize: 1000 });
  const needed = new Set<string>();
  const checked = new Map<string, ReadonlySet<string>>();
  for (const { name } of images) {
    const replies = [];
    for await (const { message } of hps.images.getManifest({ cluster: "lab", name })) replies.push(message);
    const image = replies.flatMap((message) => (message.case === "image" ? [message.value] : []))[0];
    const stored = Buffer.concat(replies.flatMap((message) => (message.case === "manifest" ? [message.value] : [])));
    const digest = image?.source?.manifest?.digest ?? expect.unreachable();
    needed.add(`manifests/${digest}`);
    const missing = new Set(parseManifest(manifestBytes(stored, digest)).objects.map((object) => hex(object)));
    for (const pack of image?.source?.packs ?? []) {
      needed.add(`packs/${pack.digest}`);
      if (!checked.has(pack.digest)) checked.set(pack.digest, objectsOf(hpsd, pack.digest, Number(pack.sizeBytes)));
      for (const object of checked.get(pack.digest) ?? []) missing.delete(object);
    }
    expect([...missing], name).toEqual([]);
  }
  return [...needed].sort();
}

const hex = ({ digest }: ImageObject) => digest.toString("hex");

function objectsOf({ state }: State, digest: string, sizeBytes: number): ReadonlySet<string> {
  const file = path.join(state, "images", "packs", digest);
  const bytes = readFileSync(file);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest);
  const { frames } = readPackIndex({ path: file, digest, sizeBytes });
  for (const frame of frames) openFrame(bytes.subarray(frame.offset, frame.offset + frame.compressedBytes), frame);
  return new Set(frames.flatMap(({ objects }) => objects.map(hex)));
}
