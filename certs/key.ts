import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";

/** A P-256 key and its public half. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** SPKI of an uncompressed point on P-256 with the named curve (RFC 5480), up to the point's coordinates. */
const P256_SPKI_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");

/** DER length of every SPKI this system accepts. */
const SPKI_BYTES = P256_SPKI_PREFIX.length + 64;

/** Makes a P-256 key. */
export function makeKey(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** The key as PEM, PKCS#8, in clear; `encryptedKeyPem` has one under a passphrase. */
export function privateKeyPem(privateKey: KeyObject): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Reads a P-256 key from PEM; a wrong or missing passphrase, or another kind of key, is an `invalid` error. */
export function readPrivateKeyPem(pem: string, passphrase?: string): KeyObject {
  const key = parsePrivateKey(pem, passphrase);
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new HpsError("invalid", "this private key is not a P-256 key");
  }
  return key;
}

function parsePrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: "pem", ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    const encrypted = pem.includes("ENCRYPTED");
    throw new HpsError("invalid", encrypted ? "the passphrase does not open this key" : "not a private key in PEM", {
      cause,
    });
  }
}

/** SubjectPublicKeyInfo in DER, always in the one form we accept (named curve, uncompressed point). */
export function publicKeyDer(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: "spki", format: "der" });
  if (!isP256Spki(spki)) throw new HpsError("invalid", "this public key is not a P-256 key");
  return spki;
}

/** Whether `spki` has the one form we accept. That the point lies on the curve is left to OpenSSL. */
export function isP256Spki(spki: Uint8Array): boolean {
  return spki.length === SPKI_BYTES && P256_SPKI_PREFIX.equals(spki.subarray(0, P256_SPKI_PREFIX.length));
}

/** SHA-256 of the public key's SPKI, 64 hex digits: what tells two keys apart. */
export function publicKeyDigest(publicKey: KeyObject): string {
  return createHash("sha256").update(publicKeyDer(publicKey)).digest("hex");
}

/** Key identifier, 40 hex digits: the first 160 bits of SHA-256 over the point (RFC 7093, method 1). */
export function keyIdentifier(publicKey: KeyObject): string {
  const point = publicKeyDer(publicKey).subarray(P256_SPKI_PREFIX.length - 1);
  return createHash("sha256").update(point).digest("hex").slice(0, 40);
}
