import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, latin1, partsOf, showName } from "../byte-string.ts";

/**
 * The components of a path that an archive names, relative to the tree's root; none for the root itself. A path that
 * begins at "/" or climbs by ".." is refused, not mended: no honest program writes one.
 */
export function safeParts(path: ByteString, deepest: number): ByteString[] {
  if (path.startsWith("/")) throw hostile(path, "begins with a slash");
  const parts = partsOf(path);
  if (parts.includes(DOT_DOT)) throw hostile(path, "climbs out by ..");
  if (parts.length > deepest) throw hostile(path, `lies more than ${deepest} folders deep`);
  return parts;
}

const DOT_DOT = latin1("..");

function hostile(path: ByteString, why: string): HpsError {
  return new HpsError("invalid", `the archive names ${showName(path)}, which ${why}`, {
    hint: "make the archive from within the tree: tar -C TREE -c .",
  });
}
