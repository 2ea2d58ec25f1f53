/** Copies of a store made before a migration, so that going back to the older hpsd loses nothing older. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

const KEPT = 3;
const MARK = ".before-migration-";

/** The name for a new copy; names sort by time. */
export function nextCopy(file: string, now = Date.now()): string {
  return `${file}${MARK}${new Date(now).toISOString().replaceAll(/[:.]/g, "-")}`;
}

/** Removes all but the newest copies. */
export async function pruneCopies(file: string): Promise<void> {
  const folder = path.dirname(file);
  const mine = `${path.basename(file)}${MARK}`;
  const isCopy = (name: string) => name.startsWith(mine) && /^[\dTZ-]+$/.test(name.slice(mine.length));
  const names = (await readdir(folder)).filter(isCopy).sort();
  for (const name of names.slice(0, -KEPT)) await rm(path.join(folder, name), { force: true });
}
