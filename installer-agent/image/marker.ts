/** What says that a folder is about to become an image: an attribute, for any name may be one of the image's own. */
import { closeSync, constants, openSync } from "node:fs";
import { byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import { errnoOf } from "../../proto/tree/native/call-error.ts";
import { getXattr, removeFileXattr, setFileXattr } from "../../proto/tree/native/xattrs.ts";

export const MARKER = latin1("trusted.hps.unpacking");

/** Says of the folder `root` that what is in it is of the image `digest` alone, finished or not. */
export function setMarker(root: string, digest: string): void {
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    setFileXattr(fd, MARKER, Buffer.from(digest));
  } finally {
    closeSync(fd);
  }
}

/** The digest of the image that the folder was to become; undefined when that was finished, or never begun. */
export function readMarker(root: string): string | undefined {
  return getXattr(byteStringOf(root), MARKER)?.toString("latin1");
}

/** Of an open folder: it is the image, or is to be anything else. */
export function removeMarker(root: number): void {
  try {
    removeFileXattr(root, MARKER);
  } catch (error) {
    if (errnoOf(error) !== "ENODATA") throw error;
  }
}
