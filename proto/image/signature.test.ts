import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkNextKeySet, encodeKeySet, type KeySet, parseKeySet } from "./key-set.ts";
import { signed, withSignature } from "./signed.ts";
import { keyIdOf, publicKeyBytes } from "./signing-key.ts";
import { checkStatement, encodeStatement, parseSignedStatement, type Statement } from "./statement.ts";
import { errorOf } from "./testing/error-of.ts";

const PKCS8_HEAD = "302e020100300506032b657004220420";

function keyOf(seed: number): KeyObject {
  const der = Buffer.concat([Buffer.from(PKCS8_HEAD, "hex"), Buffer.alloc(32, seed)]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

const key = keyOf(1);
const mine = publicKeyBytes(key);
const others = publicKeyBytes(keyOf(2));
const statement: Statement = {
  cluster: "alpha",
  name: "debian/web:12.9",
  digest: "ab".repeat(32),
  time: 1_700_000_000_000,
};
const bytes = encodeStatement(statement);
const sealed = signed(bytes, key);
const expected = { cluster: "alpha", name: "debian/web:12.9", digest: "ab".repeat(32) };

describe("a signed statement", () => {
  test("is read and believed by a host that has the key", () => {
    const found = parseSignedStatement(sealed);
    expect(found).toMatchObject(statement);
    expect(checkStatement(found, [others, mine], expected)).toEqual(mine);
    expect(checkStatement(found, [mine], { ...expected, name: undefined })).toEqual(mine);
  });

  test("of the shared library names no cluster", () => {
    const shared = parseSignedStatement(signed(encodeStatement({ ...statement, cluster: "" }), key));
    expect(checkStatement(shared, [mine], { ...expected, cluster: "" })).toEqual(mine);
    expect(errorOf(() => checkStatement(shared, [mine], expected)).message).toMatch(
      /shared library, not about cluster "alpha"/,
    );
  });

  test("can be signed by a key that is elsewhere", () => {
    expect(withSignature(bytes, mine, sign(null, bytes, key)).equals(sealed)).toBe(true);
    expect(errorOf(() => withSignature(bytes, mine, sign(null, bytes, keyOf(2)))).message).toMatch(/not the key's/);
  });

  test("names its key by the SHA-256 of the key's SPKI", () => {
    // openssl pkey -in KEY -pubout -outform DER | sha256sum, of the key made of 32 bytes of 1.
    const id = "fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2";
    expect(keyIdOf(mine).toString("hex")).toBe(id);
    expect(parseSignedStatement(sealed).keyId.toString("hex")).toBe(id);
    expect(parseSignedStatement(sealed).signature).toHaveLength(64);
  });

  test.each<[string, () => unknown, string, RegExp]>([
    [
      "a key that is not trusted",
      () => checkStatement(parseSignedStatement(sealed), [others], expected),
      "denied",
      /none of the trusted/,
    ],
    [
      "another cluster",
      () => checkStatement(parseSignedStatement(sealed), [mine], { ...expected, cluster: "beta" }),
      "denied",
      /not about cluster "beta"/,
    ],
    [
      "another image",
      () => checkStatement(parseSignedStatement(sealed), [mine], { ...expected, digest: "cd".repeat(32) }),
      "denied",
      /not about cdcd/,
    ],
    [
      "another name",
      () => checkStatement(parseSignedStatement(sealed), [mine], { ...expected, name: "x:1" }),
      "denied",
      /not about the name "x:1"/,
    ],
    [
      "a key of another kind",
      () => signed(bytes, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
      "invalid",
      /this one is ec/,
    ],
    [
      "a name that is not plain",
      () => encodeStatement({ ...statement, name: "a b" }),
      "invalid",
      /not an image's name/,
    ],
    [
      "a digest that is none",
      () => encodeStatement({ ...statement, digest: "abc" }),
      "invalid",
      /not an image's digest/,
    ],
  ])("is refused for %s", (_, action, code, message) => {
    expect(errorOf(action)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("with any bit turned, cut anywhere or with more at its end, is refused", () => {
    const check = (found: Uint8Array) => errorOf(() => checkStatement(parseSignedStatement(found), [mine], expected));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const turned = Buffer.from(sealed);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      check(turned);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(check(sealed.subarray(0, length)).details.layer).toBe("signature");
    }
    expect(check(Buffer.concat([sealed, Buffer.alloc(1)])).message).toMatch(/1 bytes follow/);
  });

  test("is nothing that random bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (any) => errorOf(() => parseSignedStatement(any)).details.layer === "signature"),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (any) => {
        errorOf(() => parseSignedStatement(Buffer.concat([bytes.subarray(0, 7), any])));
      }),
    );
  });
});

describe("a key set", () => {
  const first: KeySet = { cluster: "alpha", serial: 1, time: 5, keys: [{ key: mine, label: "release" }] };
  const second: KeySet = {
    ...first,
    serial: 2,
    keys: [
      { key: others, label: "new" },
      { key: mine, label: "release" },
    ],
  };
  const next = (set: KeySet, by: KeyObject) => parseKeySet(signed(encodeKeySet(set), by));

  test("is the same for any order of its keys", () => {
    const found = encodeKeySet({ ...second, keys: second.keys.toReversed() });
    expect(found.equals(encodeKeySet(second))).toBe(true);
    expect(parseKeySet(found).keys.map(({ label }) => label)).toEqual(
      Buffer.compare(mine, others) < 0 ? ["release", "new"] : ["new", "release"],
    );
  });

  test("follows one of whose keys it bears a signature", () => {
    checkNextKeySet(first, next(second, key));
  });

  test.each<[string, () => unknown, RegExp]>([
    ["signed by a key that only it has", () => checkNextKeySet(first, next(second, keyOf(2))), /none of the trusted/],
    ["not signed", () => checkNextKeySet(first, parseKeySet(encodeKeySet(second))), /bears no signature/],
    ["not later", () => checkNextKeySet(second, next(second, key)), /not later than set 2/],
    [
      "another cluster's",
      () => checkNextKeySet(first, next({ ...second, cluster: "beta" }, key)),
      /not cluster "alpha"'s/,
    ],
  ])("does not, when it is %s", (_, action, message) => {
    expect(errorOf(action)).toMatchObject({ code: "denied", message: expect.stringMatching(message) });
  });

  test("has keys, each once", () => {
    expect(errorOf(() => encodeKeySet({ ...first, keys: [] })).message).toMatch(/not 0/);
    expect(errorOf(() => encodeKeySet({ ...first, keys: [...first.keys, ...first.keys] })).message).toMatch(
      /out of order/,
    );
  });

  test("is refused when it is cut, and not believed with any bit turned", () => {
    const whole = signed(encodeKeySet(second), key);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const turned = Buffer.from(whole);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      errorOf(() => checkNextKeySet(first, parseKeySet(turned)));
    }
    for (let length = 0; length < whole.length; length++)
      errorOf(() => checkNextKeySet(first, parseKeySet(whole.subarray(0, length))));
  });
});
