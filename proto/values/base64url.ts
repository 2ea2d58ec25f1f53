import { HpsError } from "./hps-error.ts";

/** Strict base64url without padding (RFC 4648, section 5): one spelling for each byte string. `what` names the thing in the error. */
export function decodeBase64url(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) throw new HpsError("invalid", `${what} is not base64url`);
  return bytes;
}

/** Strict UTF-8 with no byte order mark taken away. `what` names the thing in the error. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new HpsError("invalid", `${what} is not UTF-8`, { cause });
  }
}
