/** What this machine's apt is told: where packages come from, and by which proxy. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SourceFile } from "./apt-sources.ts";

const LIMIT_MS = 20_000;

/** The files apt reads its sources from, in its order. None where there is no apt. */
export async function readSourceFiles(folder = "/etc/apt"): Promise<readonly SourceFile[]> {
  const parts = await readdir(join(folder, "sources.list.d")).catch(() => []);
  const names = parts.filter((name) => /^[A-Za-z0-9_.-]+\.(list|sources)$/.test(name)).sort();
  const paths = [join(folder, "sources.list"), ...names.map((name) => join(folder, "sources.list.d", name))];
  const read = paths.map(async (path) => ({ path, text: await readFile(path, "utf8").catch(() => "") }));
  return (await Promise.all(read)).filter(({ text }) => text !== "");
}

/** `apt-config dump`; empty where there is no apt: then mmdebstrap is missing too, and says so. */
export async function readAptConfiguration(signal: AbortSignal): Promise<string> {
  const run = promisify(execFile);
  const { stdout } = await run("apt-config", ["dump"], { signal, timeout: LIMIT_MS }).catch(() => ({ stdout: "" }));
  return stdout;
}
