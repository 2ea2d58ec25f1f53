/** Ed25519 keys (RFC 8032) that sign images: 32 bytes, named by the SHA-256 of their usual form (SPKI, RFC 8410). */
import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { HpsError } from "../values/hps-error.ts";

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const KEY_ID_BYTES = 32;

/** What stands before the key's own bytes in every SPKI of an Ed25519 key. */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/** The 32 bytes of `key`, public or private; `invalid` when it is of another kind. */
export function publicKeyBytes(key: KeyObject): Buffer {
  const spki =
    key.asymmetricKeyType === "ed25519" ? publicPart(key).export({ type: "spki", format: "der" }) : undefined;
  if (spki?.length !== SPKI_HEAD.length + PUBLIC_KEY_BYTES) {
    throw new HpsError(
      "invalid",
      `images are signed with Ed25519 keys; this one is ${key.asymmetricKeyType ?? "none"}`,
      {
        hint: "make one: openssl genpkey -algorithm ed25519 -out KEY.pem",
      },
    );
  }
  return spki.subarray(SPKI_HEAD.length);
}

/** The name of a key. */
export function keyIdOf(publicKey: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([SPKI_HEAD, publicKey]), "buffer");
}

export function signBytes(bytes: Uint8Array, privateKey: KeyObject): Buffer {
  return sign(null, bytes, privateKey);
}

/** Whether `signature` is `publicKey`'s over `bytes`; of what is no key, nothing is. */
export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    const der = Buffer.concat([SPKI_HEAD, publicKey]);
    return verify(null, bytes, createPublicKey({ key: der, type: "spki", format: "der" }), signature);
  } catch {
    return false;
  }
}

function publicPart(key: KeyObject): KeyObject {
  return key.type === "private" ? createPublicKey(key) : key;
}
