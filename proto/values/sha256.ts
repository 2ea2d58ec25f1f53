import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A SHA-256 as 64 lower-case hexadecimal digits and nothing before them: a file's name, and its name in an address. */
export type Sha256 = Brand<string, "Sha256">;

export function parseSha256(text: string): Sha256 {
  if (/^[0-9a-f]{64}$/.test(text)) return branded<"Sha256", string>(text);
  throw new HpsError("invalid", `not a SHA-256: ${quote(text, 80)}`, {
    hint: "write 64 lower-case hexadecimal digits",
  });
}
