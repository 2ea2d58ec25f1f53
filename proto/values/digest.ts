import { hash } from "node:crypto";
import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A SHA-256 as `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = Brand<string, "Digest">;

/** Reads exactly the canonical form: a digest names a file, so it has one spelling. */
export function parseDigest(text: string): Digest {
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) {
    throw new HpsError("invalid", `not a digest: ${quote(text, 80)}`, {
      hint: "write sha256: and 64 lower-case hexadecimal digits",
    });
  }
  return branded<"Digest", string>(text);
}

/** The digest of `data` (text as UTF-8). For what fits in memory; hash streams with createHash and `parseDigest` the result. */
export function digestOf(data: Uint8Array | string): Digest {
  return branded<"Digest", string>(`sha256:${hash("sha256", data, "hex")}`);
}

/** The beginning of 64 digits, for messages. */
export function shortDigest(hex: string): string {
  return `${hex.slice(0, 12)}…`;
}
