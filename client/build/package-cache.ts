/** Debian packages of earlier builds: what the next one need not download. */
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../../proto/config/overrides.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** A package no build used for so long goes. */
const KEPT_MS = 30 * 86_400_000;

/** Where builds keep what they need again: `hps` in XDG_CACHE_HOME or `~/.cache`. */
export function cacheFolder({ XDG_CACHE_HOME: xdg = "", HOME: home = "" }: Environment): string {
  if (xdg.startsWith("/")) return join(xdg, "hps");
  if (home.startsWith("/")) return join(home, ".cache", "hps");
  throw new HpsError("invalid", "there is no folder for what builds keep", { hint: "set HOME or XDG_CACHE_HOME" });
}

/** The folder of packages, made for its owner alone: what lies in it is installed without being checked once more. */
export async function packageFolder(cache: string): Promise<string> {
  const folder = join(cache, "packages");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new HpsError("denied", `others may write into ${folder}`, {
      hint: `give it to you alone: chmod 700 ${folder}`,
    });
  }
  return folder;
}

/** Keeps the packages in `used`, as of `now`, beside those of other builds that are not too old. */
export async function keepPackages(folder: string, used: string, now: number): Promise<void> {
  const date = new Date(now);
  for (const name of await packagesIn(used)) {
    await utimes(join(used, name), date, date);
    await rename(join(used, name), join(folder, name));
  }
  for (const name of await packagesIn(folder)) {
    const { mtimeMs } = await stat(join(folder, name));
    if (now - mtimeMs > KEPT_MS) await rm(join(folder, name), { force: true });
  }
}

async function packagesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".deb"));
}
