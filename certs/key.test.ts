import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { encryptedKeyPem } from "./encrypted-key.ts";
import { approvalFingerprint } from "./fingerprint.ts";
import { keyIdentifier, makeKey, privateKeyPem, publicKeyDer, publicKeyDigest, readPrivateKeyPem } from "./key.ts";

test("a key survives PEM, clear and under a passphrase", () => {
  const { privateKey, publicKey } = makeKey();
  for (const passphrase of [undefined, "correct horse", "Grüße, 世界"]) {
    const pem = passphrase === undefined ? privateKeyPem(privateKey) : encryptedKeyPem(privateKey, passphrase);
    const read = readPrivateKeyPem(pem, passphrase);
    expect(publicKeyDigest(createPublicKey(read))).toBe(publicKeyDigest(publicKey));
  }
});

test("an encrypted key opens with its passphrase only, and no passphrase may be short", () => {
  const pem = encryptedKeyPem(makeKey().privateKey, "correct horse");
  expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  expect(() => readPrivateKeyPem(pem, "wrong horse")).toThrow(/passphrase does not open/);
  expect(() => readPrivateKeyPem(pem)).toThrow(/passphrase does not open/);
  expect(() => encryptedKeyPem(makeKey().privateKey, "")).toThrow(/at least 8/);
});

test("only P-256 keys are keys of ours", () => {
  const others = [generateKeyPairSync("ed25519"), generateKeyPairSync("ec", { namedCurve: "secp384r1" })];
  for (const { privateKey, publicKey } of others) {
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(() => readPrivateKeyPem(pem)).toThrow(/not a P-256 key/);
    expect(() => publicKeyDer(publicKey)).toThrow(/not a P-256 key/);
  }
  expect(() => readPrivateKeyPem("nonsense")).toThrow(/not a private key/);
});

test("fingerprint, digest and identifier are of the public key's own bytes", () => {
  const { publicKey } = makeKey();
  const spki = publicKey.export({ type: "spki", format: "der" });
  const digest = createHash("sha256").update(spki).digest("hex");
  expect(publicKeyDigest(publicKey)).toBe(digest);
  expect(approvalFingerprint(publicKey)).toMatch(/^[0-9a-f]{5}(-[0-9a-f]{5}){3}$/);
  expect(digest.startsWith(approvalFingerprint(publicKey).replaceAll("-", ""))).toBe(true);
  expect(keyIdentifier(publicKey)).toBe(createHash("sha256").update(spki.subarray(-65)).digest("hex").slice(0, 40));
});
