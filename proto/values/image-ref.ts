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

/** Names that begin so are of the library that all clusters share. */
const SHARED = "shared/";
/** What is written so is a digest and never a name. */
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** What a reference asks for: exactly this content, or whatever a name means now. */
export type ImageWanted =
  | { readonly kind: "digest"; readonly digest: string }
  | { readonly kind: "name"; readonly name: ImageRef; readonly shared: boolean };

/** `name:tag` and `shared/name:tag` are names, `sha256:` with 64 digits is a digest. */
export function imageWanted(ref: ImageRef): ImageWanted {
  const digest = DIGEST.exec(ref)?.[1];
  if (digest !== undefined) return { kind: "digest", digest };
  return { kind: "name", name: ref, shared: ref.startsWith(SHARED) };
}

/** Reads a name that an image gets: no digest, and nothing that looks like one. */
export function parseImageName(text: string): { readonly name: ImageRef; readonly shared: boolean } {
  const name = parseImageRef(text);
  if (name.startsWith("sha256:")) {
    throw new HpsError("invalid", `${quote(text)} is a digest, which an image has by itself`, {
      hint: "give it a name:tag",
    });
  }
  return { name, shared: name.startsWith(SHARED) };
}

/** The two parts of a reference. */
export function imageRefParts(ref: ImageRef): { readonly name: string; readonly tag: string } {
  const at = ref.indexOf(":");
  return { name: ref.slice(0, at), tag: ref.slice(at + 1) };
}
