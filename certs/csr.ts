import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { base64Body, readBase64Body } from "./base64-body.ts";
import { type DerValue, der, derInteger, derOid, readDer, readInside, TAG } from "./der.ts";
import { isP256Spki, type KeyPair, publicKeyDer } from "./key.ts";

/** A request of ours is 200 bytes; the bound leaves room for what other tools put into theirs. */
const LONGEST_REQUEST = 16 * 1024;

const ECDSA_SHA256 = der(TAG.sequence, derOid("1.2.840.10045.4.3.2"));

const ACCEPTED = "send PKCS#10 (DER or base64) for a P-256 key, uncompressed, signed with ECDSA and SHA-256";

/** A PKCS#10 request (RFC 2986) in DER for this key. Its subject is empty: the server decides every name. */
export function makeRequest(key: KeyPair): Buffer {
  const info = der(
    TAG.sequence,
    derInteger(0),
    der(TAG.sequence),
    publicKeyDer(key.publicKey),
    der(TAG.context0), // attributes: none
  );
  const signature = sign("sha256", info, key.privateKey);
  return der(TAG.sequence, info, ECDSA_SHA256, der(TAG.bitString, Buffer.from([0]), signature));
}

/** The request as the body of an EST enrolment. */
export function requestBody(key: KeyPair): string {
  return base64Body(makeRequest(key));
}

/**
 * Takes the public key out of a PKCS#10 request, DER or base64 as EST sends it, after checking the request's own
 * signature (proof of possession). Subject, attributes and extensions are never read. Errors are `invalid`.
 */
export function readRequest(body: Buffer): KeyObject {
  try {
    return provenKey(readBase64Body(body, LONGEST_REQUEST));
  } catch (cause) {
    const why = cause instanceof HpsError ? cause.message : "malformed";
    throw new HpsError("invalid", `not an acceptable certificate request: ${why}`, { cause, hint: ACCEPTED });
  }
}

function provenKey(bytes: Buffer): KeyObject {
  const [info, algorithm, signature, ...more] = readInside(readDer(bytes), TAG.sequence);
  if (info === undefined || algorithm === undefined || signature === undefined || more.length > 0) {
    throw new HpsError("invalid", "unexpected structure");
  }
  if (!algorithm.raw.equals(ECDSA_SHA256)) throw new HpsError("invalid", "not signed with ECDSA and SHA-256");
  const key = requestedKey(info);
  if (signature.tag !== TAG.bitString || signature.content[0] !== 0)
    throw new HpsError("invalid", "unexpected structure");
  if (!verify("sha256", info.raw, key, signature.content.subarray(1))) {
    throw new HpsError("invalid", "its signature is not by its key");
  }
  return key;
}

function requestedKey(info: DerValue): KeyObject {
  const [version, subject, spki, attributes, ...more] = readInside(info, TAG.sequence);
  const shaped = subject?.tag === TAG.sequence && attributes?.tag === TAG.context0 && more.length === 0;
  if (!shaped || spki === undefined) throw new HpsError("invalid", "unexpected structure");
  if (!version?.raw.equals(derInteger(0))) throw new HpsError("invalid", "not version 1");
  if (!isP256Spki(spki.raw)) throw new HpsError("invalid", "its key is not an uncompressed P-256 key");
  return createPublicKey({ key: spki.raw, format: "der", type: "spki" });
}
