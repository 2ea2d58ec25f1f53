import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ImageSourceSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { keySetMessage, signatureMessage } from "../../proto/image/signed-message.ts";
import { parseSignedStatement } from "../../proto/image/statement.ts";
import { testKey, testKeySet, testSignature } from "../../proto/image/testing/test-keys.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { STATE } from "../plan/agent-unit.ts";
import { ORDER } from "../testing/orders.ts";
import { checkImageTrust, type ImageProof, parseProof } from "./image-trust.ts";
import type { PacksOrder } from "./install-order.ts";
import { keepKeys, readKeptKeys } from "./kept-keys.ts";

const [one, two] = [testKey(1), testKey(2)];
const set = testKeySet(1, [one]);
const next = testKeySet(2, [two], { by: one });
const digest = "a".repeat(64);

function orderOf(proof: ImageProof, change: Partial<PacksOrder> = {}): { readonly image: PacksOrder } {
  const { file: _, format: __, ...facts } = ORDER.image;
  const files = { tree: facts, manifest: { digest, sizeBytes: 1 }, packs: [], deltas: [], baseUrls: [] };
  return { image: { ...facts, format: "packs", files, proof, ...change } };
}

function whyNot(...[proof, kept, cluster = "lab"]: [ImageProof, typeof set | undefined, string?]): string {
  try {
    checkImageTrust(orderOf(proof), cluster, kept);
  } catch (error) {
    if (error instanceof HpsError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "";
}

test("without keys nothing is asked for; with them, who signed and when is said", () => {
  expect(checkImageTrust(orderOf({ signatures: [], keySets: [] }), "lab")).toBeUndefined();
  const trust = checkImageTrust(orderOf({ signatures: [testSignature(two)], keySets: [set, next] }), "lab", set);
  expect(trust?.set).toBe(next);
  expect(trust?.sentence).toBe('the image debian:12 was signed at 2023-11-14T22:13:20.000Z by "key-0", key set 2');
});

test("what is not signed so is refused by name", () => {
  const signed = (signature: Buffer) => whyNot({ signatures: [signature], keySets: [set] }, undefined);
  expect(whyNot({ signatures: [], keySets: [set] }, undefined)).toMatch(/denied: image debian:12 bears no signature/);
  expect(signed(testSignature(two))).toMatch(/none of the trusted keys/);
  expect(signed(testSignature(one, { cluster: "b" }))).toMatch(/of cluster "b", not about cluster "lab"/);
  expect(signed(testSignature(one, { name: "debian:11" }))).toMatch(/"debian:11".*not about the name "debian:12"/);
  expect(signed(testSignature(one, { digest: "b".repeat(64) }))).toMatch(/digest bbb/);
  const flipped = testSignature(one);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 1) ^ 1, flipped.length - 1);
  expect(signed(flipped)).toMatch(/was altered after the key/);
  const right = { signatures: [testSignature(one)], keySets: [set] };
  expect(whyNot(right, undefined, "other")).toMatch(/key set of cluster "lab" to a host of other/);
  const archive = { image: { ...ORDER.image, proof: right } };
  expect(() => checkImageTrust(archive, "lab")).toThrow(/debian:12 is an archive, which cannot be signed/);
});

test("the set that the disk keeps is followed by one that an old key signed, and by nothing else", () => {
  const by = (key: typeof one, ...keySets: ImageProof["keySets"]) => ({ signatures: [testSignature(key)], keySets });
  expect(whyNot(by(one, set), set)).toBe("");
  expect(whyNot(by(two, set, next), set)).toBe("");
  const why = /denied: the system on this disk believes other keys: /;
  for (const proof of [
    by(two, testKeySet(2, [two])),
    by(two, testKeySet(2, [two], { by: two })),
    { signatures: [], keySets: [] },
  ]) {
    expect(whyNot(proof, set)).toMatch(why);
  }
  expect(whyNot(by(one, set), next)).toMatch(/the older key set 1, but key set 2 of cluster "lab" is kept/);
});

test("a disk keeps the whole set; one that cannot be read is not taken for none", async () => {
  const root = await mkdtemp(join(tmpdir(), "hps-kept-"));
  try {
    await keepKeys(root, undefined);
    expect(await readKeptKeys(root)).toBeUndefined();
    await keepKeys(root, next);
    expect(await readKeptKeys(root)).toEqual(next);
    await writeFile(join(root, STATE.imageKeys), "nonsense");
    await expect(readKeptKeys(root)).rejects.toMatchObject({ code: "denied", message: /cannot be read/ });
  } finally {
    await rm(root, { recursive: true });
  }
});

test("signatures and sets are read from what hpsd sends", () => {
  const found = parseSignedStatement(testSignature(two));
  const keySet = keySetMessage([set, next]) ?? expect.unreachable();
  const signature = signatureMessage(found.bytes, found);
  const sent = create(ImageSourceSchema, { signatures: [signature], keySet });
  expect(parseProof(sent)).toEqual({ signatures: [testSignature(two)], keySets: [set, next] });
  expect(parseProof(create(ImageSourceSchema))).toEqual({ signatures: [], keySets: [] });
  const unnamed = create(ImageSourceSchema, { signatures: [{ ...signature, keyId: "x" }] });
  expect(() => parseProof(unnamed)).toThrow(/64 digits/);
});
