import { expect, test } from "vitest";
import { parseKeySet, type SignedKeySet } from "../../../proto/image/key-set.ts";
import { keyIdOf, publicKeyBytes } from "../../../proto/image/signing-key.ts";
import { testKey, testKeySet, testSignature } from "../../../proto/image/testing/test-keys.ts";
import { insertKeySet, selectSignaturesOf } from "../../store/image-trust.ts";
import { Audit } from "../audit/audit.ts";
import { hostConfiguration } from "../hosts/host-configuration.ts";
import { ALICE, openOperations } from "../operations/testing.ts";
import { addTestImage } from "../testing/test-rows.ts";
import { ImageTrust } from "./image-trust.ts";
import { openImageRig } from "./testing.ts";

const [one, two] = [testKey(1), testKey(2)];
const DIGEST = "a".repeat(64);
const first = testKeySet(1, [one], { cluster: "a" });

async function openRig(set: SignedKeySet | undefined = first) {
  const rig = await openImageRig();
  const trust = new ImageTrust({ store: rig.store, clock: () => rig.time.now, audit: new Audit(rig.store, () => 1) });
  await addTestImage(rig.store, rig.a, { name: "debian:12", format: "packs" });
  if (set) await trust.setKeys(ALICE, rig.a, { set, withoutOldKey: false });
  const sign = async (signed: Buffer, name = "debian:12") => await trust.addSignature(ALICE, rig.a, { name, signed });
  const kept = async () => await rig.store.read((db) => selectSignaturesOf(db, { library: rig.a, digest: DIGEST }));
  return Object.assign(rig, { trust, sign, kept });
}

test("a signature of the cluster's key over what the name stands for is kept, once, and told to the audit log", async () => {
  await using rig = await openRig();
  const signed = testSignature(one, { cluster: "a" });
  expect(await rig.sign(signed)).toMatchObject({ name: "debian:12" });
  await rig.sign(signed);
  expect(await rig.images.signaturesOf(await rig.images.get(rig.a, "debian:12"))).toHaveLength(1);
  expect((await rig.kept()).map((bytes) => Buffer.from(bytes))).toEqual([signed]);
  expect((await rig.audited()).at(-1)).toMatchObject({
    name: "debian:12",
    digest: DIGEST,
    signed: "2023-11-14T22:13:20.000Z",
  });
  await rig.images.delete(ALICE, rig.a, "debian:12");
  expect(await rig.kept()).toEqual([]);
});

test.each<[string, Buffer, string, RegExp]>([
  ["by a strange key", testSignature(two, { cluster: "a" }), "denied", /none of the trusted keys/],
  ["about another cluster", testSignature(one, { cluster: "b" }), "denied", /not about cluster "a"/],
  ["about another name", testSignature(one, { cluster: "a", name: "debian:11" }), "denied", /the name "debian:12"/],
  ["about other content", testSignature(one, { cluster: "a", digest: "b".repeat(64) }), "denied", /not about aaaa/],
  ["that was cut", testSignature(one, { cluster: "a" }).subarray(0, -1), "invalid", /signature/],
])("a signature %s is refused and not kept", async (_, signed, code, message) => {
  await using rig = await openRig();
  await expect(rig.sign(signed)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  expect(await rig.kept()).toEqual([]);
});

test("an archive cannot be signed, and a cluster without keys has nothing to check by", async () => {
  await using rig = await openRig();
  await addTestImage(rig.store, rig.a, { name: "old:1" });
  await expect(rig.sign(testSignature(one, { cluster: "a", name: "old:1" }), "old:1")).rejects.toMatchObject({
    ...{ code: "precondition", message: "image old:1 is an archive, which cannot be signed" },
  });
  const b = rig.trust.keysOf(rig.b);
  await expect(b).rejects.toMatchObject({ code: "not-found", message: /cluster b has no key set/ });
  await addTestImage(rig.store, rig.b, { name: "debian:12", format: "packs" });
  const signed = testSignature(one, { cluster: "b" });
  const added = rig.trust.addSignature(ALICE, rig.b, { name: "debian:12", signed });
  await expect(added).rejects.toMatchObject({ code: "precondition", message: /cluster b has no key set/ });
});

test("a set follows the one before by a signature of its key, or by saying that the key is lost", async () => {
  await using rig = await openRig();
  const put = async (set: SignedKeySet, withoutOldKey = false) =>
    await rig.trust.setKeys(ALICE, rig.a, { set, withoutOldKey });
  const named = { cluster: "a" };
  await expect(put(testKeySet(2, [two], named))).rejects.toMatchObject({ code: "denied", message: /no signature/ });
  await expect(put(testKeySet(2, [two], { ...named, by: two }))).rejects.toMatchObject({ code: "denied" });
  await expect(put(testKeySet(1, [two], { ...named, by: one }))).rejects.toMatchObject({ code: "precondition" });
  await expect(put(testKeySet(2, [two], { by: one }))).rejects.toMatchObject({ message: /is of cluster "lab"/ });
  await put(testKeySet(2, [two], { ...named, by: one }));
  await put(testKeySet(2, [two], { ...named, by: one }));
  const { sets, setBy } = await put(testKeySet(3, [one], named), true);
  expect(sets.map(({ serial, by }) => [serial, by !== undefined])).toEqual([
    [1, false],
    [2, true],
    [3, false],
  ]);
  expect(setBy).toBe("alice");
  expect((await rig.audited()).at(-1)).toMatchObject({ serial: "3", withoutOldKey: "true" });
});

test("who signed what a name stands for is told by what the set that counts calls the key", async () => {
  await using rig = await openRig(testKeySet(1, [one, two], { cluster: "a" }));
  const [idOne, idTwo] = [one, two].map((key) => keyIdOf(publicKeyBytes(key)).toString("hex"));
  await addTestImage(rig.store, rig.a, { name: "debian:stable", format: "packs" });
  await addTestImage(rig.store, "shared", { name: "shared/debian:12", format: "packs" });
  const signers = async (name: string, cluster: string | undefined = rig.a) => {
    const image = await rig.images.get(cluster, name);
    return (await rig.trust.signersOf([image])).get(image.id);
  };
  expect(await signers("debian:12")).toEqual([]);
  await rig.sign(testSignature(one, { cluster: "a" }));
  await rig.sign(testSignature(two, { cluster: "a" }));
  const shared = testSignature(one, { cluster: "", name: "shared/debian:12" });
  await rig.trust.addSignature(ALICE, undefined, { name: "shared/debian:12", signed: shared });
  expect(new Set(await signers("debian:12"))).toEqual(
    new Set([
      { keyId: idOne, label: "key-0" },
      { keyId: idTwo, label: "key-1" },
    ]),
  );
  // The same content under another name is what nobody signed; of another library too.
  expect(await signers("debian:stable")).toEqual([]);
  expect(await signers("shared/debian:12")).toEqual([{ keyId: idOne, label: "" }]);
  await rig.trust.setKeys(ALICE, rig.a, { set: testKeySet(2, [two], { cluster: "a", by: two }), withoutOldKey: false });
  expect(new Set(await signers("debian:12"))).toEqual(
    new Set([
      { keyId: idOne, label: "" },
      { keyId: idTwo, label: "key-0" },
    ]),
  );
});

test("with keys in its cluster a host is armed with signed images alone, and its agent is told signatures and keys", async () => {
  await using rig = await openOperations();
  const trust = new ImageTrust({ ...rig, clock: () => 1, audit: new Audit(rig.store, () => 1) });
  const arm = async (image: string) => await rig.installations.arm(ALICE, rig.hostId, { image, wipeDiskSerials: [] });
  const set = testKeySet(1, [one]);
  const digest = "c".repeat(64);
  await rig.store.write((tx) =>
    insertKeySet(tx, { clusterId: rig.clusterId, serial: 1, signed: set.bytes, setBy: "alice", createdAt: 1 }),
  );
  await addTestImage(rig.store, rig.clusterId, { name: "web:1", format: "packs", digest });
  await expect(arm("debian:12")).rejects.toMatchObject({ code: "precondition", message: /debian:12 is an archive/ });
  await expect(arm("web:1")).rejects.toMatchObject({ code: "precondition", message: /web:1 bears no signature/ });
  const signed = testSignature(one, { name: "web:1", digest });
  await trust.addSignature(ALICE, rig.clusterId, { name: "web:1", signed });
  await arm("web:1");
  const sources = { targetLink: undefined, installers: { file: () => undefined } };
  const { order } = await rig.store.read((db) =>
    hostConfiguration(db, sources, { hostId: rig.hostId, forInstaller: true }),
  );
  expect(order?.image?.signatures.map((bytes) => Buffer.from(bytes))).toEqual([signed]);
  expect(order?.image?.keySets).toEqual([parseKeySet(set.bytes)]);
});
