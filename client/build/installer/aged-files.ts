import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

/** What no build used for so long goes. */
const KEPT_MS = 30 * 86_400_000;

/** Says that a kept file was used now. */
export async function markUsed(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** Removes from a folder of kept files those that were not used for a month. */
export async function dropUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const file = await stat(path).catch(() => undefined); // another build may remove it meanwhile
    if (file !== undefined && Date.now() - file.mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
