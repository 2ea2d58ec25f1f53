import { cpioArchive, DIRECTORY, foldersTo, SECRET } from "../../proto/tree/cpio.ts";

/** Where the installer finds its claim. */
export const CLAIM_PATH = "etc/hps/claim.json";

/** The claim as an archive of its own, for a second `initrd` line: the folders on the way and one file of mode 0600, padded to 4 bytes. */
export function claimArchive(claim: Uint8Array): Buffer {
  const folders = foldersTo(CLAIM_PATH).map((path) => ({ path, mode: DIRECTORY }));
  return cpioArchive([...folders, { path: CLAIM_PATH, mode: SECRET, data: claim }]);
}
