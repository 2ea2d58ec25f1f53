/** Bytes with one Ed25519 signature: the bytes, the id of the key, the signature over the bytes. */
import type { KeyObject } from "node:crypto";
import { HpsError } from "../values/hps-error.ts";
import type { ByteReader } from "./byte-reader.ts";
import { isSignedBy, KEY_ID_BYTES, keyIdOf, publicKeyBytes, SIGNATURE_BYTES, signBytes } from "./signing-key.ts";

export interface Signature {
  /** SHA-256 of the key's SPKI. */
  readonly keyId: Buffer;
  readonly signature: Buffer;
}

/** `bytes` signed by a key that is at hand. */
export function signed(bytes: Uint8Array, privateKey: KeyObject): Buffer {
  return withSignature(bytes, publicKeyBytes(privateKey), signBytes(bytes, privateKey));
}

/** `bytes` with the signature that the holder of `publicKey` made elsewhere; `invalid` unless it is one. */
export function withSignature(bytes: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): Buffer {
  if (!isSignedBy(bytes, signature, publicKey)) {
    throw new HpsError("invalid", `the signature is not the key's (${shown(keyIdOf(publicKey))}) over these bytes`, {
      hint: "sign exactly the bytes of the statement, with Ed25519 and not with Ed25519ph or a hash of them",
    });
  }
  return Buffer.concat([bytes, keyIdOf(publicKey), signature]);
}

/** The signature that `reader` stands before, which must be the last of its bytes. */
export function readSignature(reader: ByteReader): Signature {
  const keyId = reader.take(KEY_ID_BYTES, "the key's id");
  const signature = reader.take(SIGNATURE_BYTES, "the signature");
  reader.end();
  return { keyId, signature };
}

/** The key of `keys` that made the signature; `denied` when it is none of them, `invalid` when it did not sign `bytes`. */
export function signerOf(what: string, bytes: Uint8Array, by: Signature, keys: readonly Uint8Array[]): Uint8Array {
  const key = keys.find((candidate) => keyIdOf(candidate).equals(by.keyId));
  if (key === undefined) {
    throw new HpsError("denied", `${what} is signed by the key ${shown(by.keyId)}, which is none of the trusted keys`, {
      hint: `trusted: ${keys.map((trusted) => shown(keyIdOf(trusted))).join(", ")}`,
    });
  }
  if (isSignedBy(bytes, by.signature, key)) return key;
  throw new HpsError(
    "invalid",
    `${what} was altered after the key ${shown(by.keyId)} signed it, or never signed by it`,
  );
}

function shown(keyId: Buffer): string {
  return keyId.toString("hex");
}
