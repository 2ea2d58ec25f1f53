/** Signatures and key sets as messages carry them, and as docs/image-format.md has them. */
import { HpsError } from "../values/hps-error.ts";
import { parseKeySet, type SignedKeySet } from "./key-set.ts";
import type { Signature } from "./signed.ts";
import { MOST_KEY_SETS } from "./trust.ts";

/** hps.v1.ImageSignature. */
interface SignatureMessage {
  readonly keyId: string;
  readonly statement: Uint8Array;
  readonly signature: Uint8Array;
}

interface OneSetMessage {
  readonly keys: Uint8Array;
  readonly signatures: readonly SignatureMessage[];
}

/** hps.v1.ImageKeySet. */
interface KeySetMessage extends OneSetMessage {
  readonly before: readonly OneSetMessage[];
}

export function signatureMessage(bytes: Uint8Array, { keyId, signature }: Signature) {
  return { keyId: keyId.toString("hex"), statement: Uint8Array.from(bytes), signature: Uint8Array.from(signature) };
}

/** The bytes, the key's id, the signature: still unread. */
export function signatureBytes({ keyId, statement, signature }: SignatureMessage): Buffer {
  if (!/^[0-9a-f]{64}$/.test(keyId)) throw new HpsError("invalid", "the id of a signature's key is not 64 digits");
  return Buffer.concat([statement, Buffer.from(keyId, "hex"), signature]);
}

/** Of sets, oldest first: the last one with those before it. */
export function keySetMessage(sets: readonly SignedKeySet[]) {
  const messages = sets.map(({ bytes, by }) => ({
    keys: Uint8Array.from(bytes),
    signatures: by === undefined ? [] : [signatureMessage(bytes, by)],
  }));
  const last = messages.pop();
  return last && { ...last, before: messages };
}

/** The sets of a message, oldest first, whose signatures nobody has checked yet. */
export function keySetsOf({ before, ...last }: KeySetMessage): readonly SignedKeySet[] {
  if (before.length >= MOST_KEY_SETS) throw new HpsError("invalid", `more than ${MOST_KEY_SETS} key sets are named`);
  return [...before, last].map(keySetOf);
}

function keySetOf({ keys, signatures }: OneSetMessage): SignedKeySet {
  const [by, other] = signatures;
  if (other !== undefined) throw new HpsError("invalid", "a key set bears one signature at most");
  if (by !== undefined && !Buffer.from(by.statement).equals(keys)) {
    throw new HpsError("invalid", "a key set's signature is over something else");
  }
  return parseKeySet(by === undefined ? keys : signatureBytes(by));
}

/** A set with its signature, as it is kept. */
export function keySetBytes({ bytes, by }: SignedKeySet): Buffer {
  return by === undefined ? bytes : Buffer.concat([bytes, by.keyId, by.signature]);
}
