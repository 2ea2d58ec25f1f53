import { describe, expect, test } from "vitest";
import { parseImageRef } from "../values/image-ref.ts";
import { keySetBytes, keySetMessage, keySetsOf, signatureBytes, signatureMessage } from "./signed-message.ts";
import { parseSignedStatement } from "./statement.ts";
import { errorOf } from "./testing/error-of.ts";
import { testKey, testKeySet, testSignature } from "./testing/test-keys.ts";
import { checkKeySets, checkSigned } from "./trust.ts";

const [one, two, three] = [testKey(1), testKey(2), testKey(3)];
const set = testKeySet(1, [one, two]);
const digest = "a".repeat(64);

function refusal(signatures: readonly Buffer[], ref = "debian:12") {
  return errorOf(() => checkSigned({ ref: parseImageRef(ref), digest, signatures }, set));
}

function whyNot(signatures: readonly Buffer[], ref?: string) {
  return refusal(signatures, ref).message;
}

describe("an image", () => {
  test("is believed by one right signature, whatever others there are", () => {
    const signatures = [testSignature(three), Buffer.from("nonsense"), testSignature(two)];
    const image = { ref: parseImageRef("debian:12"), digest, signatures };
    expect(checkSigned(image, set)).toMatchObject({ name: "debian:12", digest });
    const byDigest = { ...image, ref: parseImageRef(`sha256:${digest}`) };
    expect(checkSigned(byDigest, set)).toMatchObject({ cluster: "lab" });
    const shared = [testSignature(one, { cluster: "", name: "shared/debian:12" })];
    expect(checkSigned({ ...image, ref: parseImageRef("shared/debian:12"), signatures: shared }, set)).toBeDefined();
    expect(checkSigned({ ...byDigest, signatures: shared }, set)).toMatchObject({ cluster: "" });
  });

  test("is refused by name for every other statement, and for each bit of a right one that is flipped", () => {
    expect(whyNot([])).toMatch(/image debian:12 bears no signature, and cluster "lab" takes only signed/);
    expect(whyNot([testSignature(three)])).toMatch(/none of the trusted keys/);
    expect(whyNot([testSignature(one, { cluster: "other" })])).toMatch(/of cluster "other", not about cluster "lab"/);
    expect(whyNot([testSignature(one, { name: "debian:11" })])).toMatch(/not about the name "debian:12"/);
    expect(whyNot([testSignature(one, { digest: "b".repeat(64) })])).toMatch(/with the digest bbb.*, not about aaa/);
    expect(whyNot([testSignature(one, { cluster: "" })])).toMatch(/shared library/);
    expect(whyNot([testSignature(one, { cluster: "other" })], `sha256:${digest}`)).toMatch(/"other"/);
    const right = testSignature(one);
    for (let bit = 0; bit < right.length * 8; bit++) {
      const flipped = Buffer.from(right);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(whyNot([flipped]), `bit ${bit}`).toMatch(/image debian:12 is not signed as cluster "lab" asks/);
    }
  });
});

test("whoever is refused is told what to type; a digest is signed under a name", () => {
  const other = testSignature(one, { name: "debian:11" });
  expect(refusal([]).hint).toBe("hpsctl image sign debian:12 --key FILE");
  expect(refusal([], "shared/debian:12").hint).toBe("hpsctl image sign shared/debian:12 --key FILE");
  expect(refusal([other]).hint).toBe("hpsctl image sign debian:12 --key FILE");
  expect(refusal([], `sha256:${digest}`).hint).toMatch(/one of its names.*: hpsctl image sign NAME:TAG --key FILE/);
});

describe("a host that keeps a key set", () => {
  const next = testKeySet(2, [two], { by: one });
  const last = testKeySet(4, [three], { by: two });

  test("follows signatures from the set it keeps to the current one, also over several", () => {
    checkKeySets(set, [set]);
    checkKeySets(set, [set, next, last]);
    checkKeySets(next, [set, next, last]);
    checkKeySets(set, [next, last]);
  });

  test.each<[string, Parameters<typeof checkKeySets>, RegExp]>([
    ["no set any more", [set, []], /hpsd names no keys, but key set 1 of cluster "lab" is kept/],
    ["an older set", [next, [set]], /names the older key set 1/],
    ["another set of the same number", [next, [set, testKeySet(2, [three], { by: two })]], /not later than set 2/],
    ["a set without a signature", [set, [set, testKeySet(2, [three])]], /key set 2 .* bears no signature/],
    ["a set that a stranger signed", [set, [set, testKeySet(2, [three], { by: three })]], /none of the trusted keys/],
    ["a gap that nobody signed over", [testKeySet(1, [one]), [last]], /none of the trusted keys/],
    ["another cluster's set", [set, [testKeySet(2, [one], { by: one, cluster: "other" })]], /"other".*"lab"/],
  ])("refuses %s", (_, sets, why) => {
    expect(errorOf(() => checkKeySets(...sets))).toMatchObject({ code: "denied", message: expect.stringMatching(why) });
  });
});

test("signatures and sets come through messages as they were", () => {
  const found = parseSignedStatement(testSignature(one));
  expect(signatureBytes(signatureMessage(found.bytes, found))).toEqual(testSignature(one));
  const sets = [set, testKeySet(2, [two], { by: one })];
  const message = keySetMessage(sets) ?? expect.unreachable();
  expect(keySetsOf(message).map(keySetBytes)).toEqual(sets.map(keySetBytes));
  const other = { ...message, signatures: keySetMessage([testKeySet(3, [one], { by: two })])?.signatures ?? [] };
  expect(errorOf(() => keySetsOf(other)).message).toMatch(/signature is over something else/);
});
