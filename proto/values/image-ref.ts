import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/**
 * An image by name: `debian/web:12.9`.
 * name: parts of a-z and 0-9 with single `.`, `_` or `-` between, `/` between parts, at most 128 characters.
 * tag: 1 to 128 of A-Z, a-z, 0-9, `.`, `_`, `-`; not `.` or `-` first.
 */
export type ImageRef = Brand<string, "ImageRef">;

const PART = "[a-z0-9]+(?:[._-][a-z0-9]+)*";
const REF = new RegExp(`^(${PART}(?:/${PART})*):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$`);

/** Reads `name:tag`. There is no default tag: "the newest" is not a name. */
export function parseImageRef(text: string): ImageRef {
  const found = text.length <= 257 ? REF.exec(text) : null;
  if (found === null || (found[1] ?? "").length > 128) {
    throw new HpsError("invalid", `not an image's name: ${quote(text)}`, {
      hint: "write it as name:tag, the name in lower case: debian/web:12.9",
    });
  }
  return branded<"ImageRef", string>(text);
}

/** The two parts of a reference. */
export function imageRefParts(ref: ImageRef): { readonly name: string; readonly tag: string } {
  const at = ref.indexOf(":");
  return { name: ref.slice(0, at), tag: ref.slice(at + 1) };
}
