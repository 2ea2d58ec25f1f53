/** For tests: images of packs, and importers of them, honest and other. */
import { createCipheriv, hash } from "node:crypto";
import { compressManifest, encodeManifest, type Manifest, manifestDigest } from "../../../proto/image/manifest.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import { type DraftEntry, manifestOfDrafts } from "../../../proto/image/manifest-of-drafts.ts";
import { compressFrame, FrameBuilder } from "../../../proto/image/pack-frame.ts";
import { latin1 } from "../../../proto/tree/byte-string.ts";
import { ALICE } from "../operations/testing.ts";
import type { ImageView } from "./images.ts";
import { parseUploadOrder, type UploadAnnouncement, type UploadPart, UploadParts } from "./upload-order.ts";
import type { ObjectRange, UploadPlan } from "./upload-work.ts";
import type { UploadAnswer, Uploads } from "./uploads.ts";

const LARGEST = 4 << 20;

export interface TestImage {
  readonly digest: string;
  readonly manifest: Manifest;
  /** As it is digested, and as it is stored. */
  readonly raw: Buffer;
  readonly stored: Buffer;
  readonly objects: readonly ImageObject[];
  /** By the digest, as latin1. */
  readonly content: ReadonlyMap<string, Buffer>;
}

/** An image with one file for each content, in the order of their names. */
export function testImage(files: Readonly<Record<string, Buffer>>): TestImage {
  const content = new Map<string, Buffer>();
  const objectsOf = (bytes: Buffer): ImageObject[] => {
    const objects: ImageObject[] = [];
    for (let at = 0; at < bytes.length; at += LARGEST) {
      const piece = bytes.subarray(at, at + LARGEST);
      const digest = hash("sha256", piece, "buffer");
      content.set(digest.toString("latin1"), piece);
      objects.push({ digest, length: piece.length });
    }
    return objects;
  };
  const root: DraftEntry = { ...PLAIN, path: latin1(""), type: "directory", mode: 0o755 };
  const entries = Object.entries(files).map(
    ([name, bytes]): DraftEntry => ({
      ...{ ...PLAIN, path: latin1(name), type: "file", size: bytes.length, content: objectsOf(bytes) },
    }),
  );
  const manifest = manifestOfDrafts([root, ...entries]);
  const raw = encodeManifest(manifest);
  return {
    digest: manifestDigest(raw),
    manifest,
    raw,
    stored: compressManifest(raw),
    objects: manifest.objects,
    content,
  };
}

const PLAIN = {
  ...{ mode: 0o644, uid: 0, gid: 0, mtime: 0n, xattrs: [], size: 0, segments: undefined, link: latin1("") },
  ...{ major: 0, minor: 0, content: [] },
} as const;

/** Content that does not compress, the same for the same name. */
export function noise(name: string, length: number): Buffer {
  const key = hash("sha256", name, "buffer").subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, key).update(Buffer.alloc(length));
}

function announcementOf(name: string, image: TestImage, change: Partial<UploadAnnouncement> = {}) {
  const said = { name, digest: image.digest, manifestBytes: BigInt(image.stored.length), move: false };
  const found = { lacks: [], system: "Debian", kernel: "6.1", expiresAt: null };
  return parseUploadOrder({ ...said, ...found, ...change });
}

/** What a sender does once it knows what is wanted. */
export type Sender = (image: TestImage, plan: UploadPlan) => AsyncIterable<UploadPart>;

export interface Uploading {
  readonly uploads: Uploads;
  /** Undefined: the shared library. */
  readonly clusterId: string | undefined;
  readonly name: string;
  readonly image: TestImage;
  readonly send?: Sender;
  readonly change?: Partial<UploadAnnouncement>;
}

export interface Uploaded {
  readonly image: ImageView;
  /** Undefined when the image was there. */
  readonly plan: UploadPlan | undefined;
}

/** Uploads as hpsctl does, or as `send` does. */
export async function upload({ uploads, clusterId, name, image, send = honest, change }: Uploading): Promise<Uploaded> {
  const planned = Promise.withResolvers<UploadPlan>();
  async function* parts(): AsyncGenerator<UploadPart> {
    for (const data of pieces(image.stored)) yield { kind: "manifest", data };
    yield* send(image, await planned.promise);
  }
  const target = { caller: ALICE, clusterId };
  const answers = uploads.take(target, announcementOf(name, image, change), new UploadParts(parts()));
  let plan: UploadPlan | undefined;
  for await (const answer of answers satisfies AsyncIterable<UploadAnswer>) {
    if (answer.kind === "image") return { image: answer.image, plan };
    plan = answer.plan;
    planned.resolve(plan);
  }
  throw new Error("it ended without an image");
}

export async function* honest(image: TestImage, { fresh, again }: UploadPlan): AsyncGenerator<UploadPart> {
  for (const ranges of [fresh, again]) for await (const frame of framesOf(image, ranges)) yield* partsOf(frame);
  yield { kind: "finish" };
}

export interface TestFrame {
  readonly objects: number;
  readonly rawBytes: number;
  readonly bytes: Buffer;
}

/** The frames that are wanted. */
export async function* framesOf(image: TestImage, ranges: readonly ObjectRange[]): AsyncGenerator<TestFrame> {
  const builder = new FrameBuilder();
  const frames = numbersOf(ranges).map((number) => {
    const object = image.objects[number];
    const content = image.content.get(object?.digest.toString("latin1") ?? "");
    if (object === undefined || content === undefined) throw new Error(`no object ${number}`);
    return builder.add(object, content);
  });
  for (const frame of [...frames, builder.end()]) {
    if (frame === undefined) continue;
    const bytes = await compressFrame(frame.raw, 1);
    yield { objects: frame.objects.length, rawBytes: frame.raw.length, bytes };
  }
}

export function* partsOf({ objects, rawBytes, bytes }: TestFrame): Generator<UploadPart> {
  yield { kind: "frame", objects, rawBytes, bytes: bytes.length };
  for (const data of pieces(bytes)) yield { kind: "data", data };
}

function numbersOf(ranges: readonly ObjectRange[]): number[] {
  return ranges.flatMap(([first, count]) => Array.from({ length: count }, (_, at) => first + at));
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 256 * 1024) yield bytes.subarray(at, at + 256 * 1024);
}
