import type { KeyObject } from "node:crypto";
import { publicKeyDigest } from "./key.ts";

/**
 * What an operator compares before approving: the first 80 bits of the SHA-256 of the agent's public key (SPKI), as
 * `1a2b3-c4d5e-6f708-192a3`. Both sides print this text. 80 bits are too many to find a second key for.
 */
export function approvalFingerprint(publicKey: KeyObject): string {
  return fingerprintOfDigest(publicKeyDigest(publicKey));
}

/** The same, from the SHA-256 of the key in hex. */
export function fingerprintOfDigest(digest: string): string {
  return (digest.slice(0, 20).match(/.{5}/g) ?? []).join("-");
}
