/** The good examples: one of each kind of file. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { DELTA_HEAD, encodeDeltaEnd } from "../../../proto/image/delta.ts";
import { makeDeltaObjects } from "../../../proto/image/delta-maker.ts";
import { planDelta } from "../../../proto/image/delta-plan.ts";
import { encodeKeySet } from "../../../proto/image/key-set.ts";
import { compressManifest, encodeManifest, manifestDigest } from "../../../proto/image/manifest.ts";
import { manifestOfDrafts } from "../../../proto/image/manifest-of-drafts.ts";
import { encodePackEnd, PACK_HEAD } from "../../../proto/image/pack.ts";
import { compressFrame, FrameBuilder } from "../../../proto/image/pack-frame.ts";
import { signed } from "../../../proto/image/signed.ts";
import { publicKeyBytes } from "../../../proto/image/signing-key.ts";
import { encodeStatement } from "../../../proto/image/statement.ts";
import { CONTENTS, OLD, OLD_TREE, objectOf, TREE } from "./tree.ts";

const PKCS8_HEAD = "302e020100300506032b657004220420";
const LEVEL = 12;

/** The key whose secret is 32 times the byte `seed`: for tests alone. */
export function keyOf(seed: number): KeyObject {
  const key = Buffer.concat([Buffer.from(PKCS8_HEAD, "hex"), Buffer.alloc(32, seed)]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

export const TRUSTED = publicKeyBytes(keyOf(1));

export const MANIFEST = encodeManifest(manifestOfDrafts(TREE));
const OLD_MANIFEST = encodeManifest(manifestOfDrafts(OLD_TREE));

export const STATEMENT = {
  cluster: "alpha",
  name: "debian/web:12.9",
  digest: manifestDigest(MANIFEST),
  time: 1_700_000_000_123,
};

export const FIRST_KEYS = {
  cluster: "alpha",
  serial: 1,
  time: 1_700_000_000_000,
  keys: [{ key: TRUSTED, label: "release" }],
};
export const NEXT_KEYS = {
  ...FIRST_KEYS,
  serial: 2,
  keys: [...FIRST_KEYS.keys, { key: publicKeyBytes(keyOf(2)), label: "convenience" }],
};

async function pack(contents: readonly Buffer[]): Promise<Buffer> {
  const builder = new FrameBuilder();
  const full = contents.map((content) => builder.add(objectOf(content), content));
  const frames = await Promise.all(
    [...full, builder.end()]
      .filter((frame) => frame !== undefined)
      .map(async ({ objects, raw }) => ({ objects, bytes: await compressFrame(raw, LEVEL) })),
  );
  const listed = frames.map(({ objects, bytes }) => ({ objects, compressedBytes: bytes.length }));
  return Buffer.concat([PACK_HEAD, ...frames.map(({ bytes }) => bytes), encodePackEnd(listed)]);
}

async function delta(): Promise<Buffer> {
  const old = manifestOfDrafts(OLD_TREE);
  const target = manifestOfDrafts(TREE);
  const contents = new Map(CONTENTS.map((content) => [objectOf(content).digest.toString("hex"), content]));
  const source = {
    objects: target.objects,
    old: async ({ path }: { path: string }, offset: number, length: number) =>
      (OLD[path] ?? Buffer.alloc(0)).subarray(offset, offset + length),
    object: async (number: number) =>
      contents.get(target.objects[number]?.digest.toString("hex") ?? "") ?? Buffer.alloc(0),
  };
  const made: { object: Parameters<typeof encodeDeltaEnd>[0]["objects"][number]; bytes: Buffer }[] = [];
  for (const task of planDelta(old, target)) for await (const one of makeDeltaObjects(task, source)) made.push(one);
  const end = encodeDeltaEnd({
    base: Buffer.from(manifestDigest(OLD_MANIFEST), "hex"),
    target: Buffer.from(manifestDigest(MANIFEST), "hex"),
    objects: made.map(({ object }) => object),
  });
  return Buffer.concat([DELTA_HEAD, ...made.map(({ bytes }) => bytes), end]);
}

/** By the file's name without its ending, which is also the kind. */
export async function goodExamples(): Promise<Readonly<Record<string, Buffer>>> {
  return {
    manifest: MANIFEST,
    "stored-manifest": compressManifest(MANIFEST),
    pack: await pack(CONTENTS),
    delta: await delta(),
    signature: signed(encodeStatement(STATEMENT), keyOf(1)),
    "key-set": signed(encodeKeySet(NEXT_KEYS), keyOf(1)),
  };
}
