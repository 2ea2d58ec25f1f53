import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Where a file of the TFTP root comes from; undefined: it is not to be there. */
export type TftpSources = Readonly<Record<string, string | undefined>>;

/**
 * Makes the folder hold exactly these files, each replaced as a whole, so that a machine that asks meanwhile gets the old one or the new
 * one. They are copies: the TFTP server's account may read nothing else of hpsd's.
 */
export async function fillTftpRoot(folder: string, sources: TftpSources): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  for (const [name, source] of Object.entries(sources)) {
    const place = join(folder, name);
    if (source === undefined) {
      await rm(place, { force: true });
      continue;
    }
    await copyFile(source, `${place}.new`);
    await chmod(`${place}.new`, 0o644); // whatever the umask
    await rename(`${place}.new`, place);
  }
}
