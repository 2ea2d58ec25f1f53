import { type KeyObject, sign, verify } from "node:crypto";

/**
 * A signature over bytes that say what they are: `context`, a zero byte, the bytes. So what was signed for one purpose is never taken
 * for another's, nor for a TLS 1.3 handshake, whose signed text begins with 64 spaces (RFC 8446, section 4.4.3).
 */
export function signStatement(privateKey: KeyObject, context: string, bytes: Uint8Array): Buffer {
  return sign("sha256", statement(context, bytes), privateKey);
}

/** Whether the key signed these bytes in this context. */
export function isSignedStatement(
  publicKey: KeyObject,
  context: string,
  { bytes, signature }: { readonly bytes: Uint8Array; readonly signature: Uint8Array },
): boolean {
  try {
    return verify("sha256", statement(context, bytes), publicKey, signature);
  } catch {
    return false;
  }
}

function statement(context: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${context}\0`), bytes]);
}
