import { HpsError } from "../proto/values/hps-error.ts";

/** Bodies of EST in base64 (RFC 7030 as corrected by RFC 8951: no transfer encoding header, line breaks optional). */

/** Base64 in lines of 64, as `openssl base64 -d` wants it. */
export function base64Body(bytes: Buffer): string {
  return `${(bytes.toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n`;
}

/** The bytes of a body that is either base64 (with or without line breaks) or already DER; `limit` is in bytes of body. */
export function readBase64Body(body: Buffer, limit: number): Buffer {
  if (body.length > limit) throw new HpsError("invalid", `more than ${limit} bytes`);
  // Every structure here is a SEQUENCE, 0x30; base64 of one begins with M.
  if (body[0] === 0x30) return body;
  const text = body.toString("latin1").replace(/[\r\n\t ]/g, "");
  if (text === "" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new HpsError("invalid", "neither base64 nor DER");
  }
  return Buffer.from(text, "base64");
}
