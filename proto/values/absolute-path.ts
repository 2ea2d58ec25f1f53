import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A path from the root, as written. */
export type AbsolutePath = Brand<string, "AbsolutePath">;

/** Reads an absolute path a file system can hold: at most 4095 bytes, no NUL. Nothing is expanded or shortened. */
export function parseAbsolutePath(text: string): AbsolutePath {
  const bad = !text.startsWith("/") || text.includes("\0") || !text.isWellFormed() || Buffer.byteLength(text) > 4095;
  if (bad) {
    throw new HpsError("invalid", `not an absolute path: ${quote(text)}`, {
      hint: "write it from the root: /var/lib/hps",
    });
  }
  return branded<"AbsolutePath", string>(text);
}
