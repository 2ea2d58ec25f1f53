/** What says that a folder is about to become an image: an attribute, for any name may be one of the image's own. */
import { closeSync, constants, openSync } from "node:fs";
import { byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import { syncFileSystemMeanwhile } from "../../proto/tree/native/files.ts";
import { getXattr, removeFileXattr, setFileXattr } from "../../proto/tree/native/xattrs.ts";
import { unpackError } from "../../proto/tree/unpack/unpack-error.ts";

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

/** The digest of the image that the folder was to become; undefined when it is that or another, or it was never begun. */
export function readMarker(root: string): string | undefined {
  return getXattr(byteStringOf(root), MARKER)?.toString("latin1");
}

/**
 * Says that the folder `root`, which has to be the whole image, is that. Not before its file system is on the disk: else a power cut
 * would leave files without content, and nothing that says so. What is mounted below is its caller's to sync, before. Durable.
 */
export async function removeMarker(root: string): Promise<void> {
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncFileSystemMeanwhile(fd);
    removeFileXattr(fd, MARKER);
    await syncFileSystemMeanwhile(fd);
  } catch (error) {
    throw unpackError(error, latin1(""));
  } finally {
    closeSync(fd);
  }
}
