import { closeSync, constants } from "node:fs";
import type { ByteString } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import { openBeneath, removeEmptyDirectory, removeName } from "../native/paths.ts";
import { namesIn } from "../walk/walk-tree.ts";

/** Removes what `name` is in the folder `at`: links are removed, not followed; a folder goes with all it holds, but no mounted one. */
export function removeTree(at: number, name: ByteString): void {
  try {
    removeName(at, name);
    return;
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw error;
  }
  const folder = openBeneath(at, name, { flags: constants.O_RDONLY | constants.O_DIRECTORY, sameMount: true });
  try {
    for (const child of namesIn(folder)) removeTree(folder, child);
  } finally {
    closeSync(folder);
  }
  removeEmptyDirectory(at, name);
}
