/** Images beside other ways to bring a tree to a disk. Needs root. `image OLD NEW` takes these two folders in place of Debian's. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeBundles, temporaryFolder } from "./bench-hpsd.ts";
import { installPeers } from "./image-peers.ts";
import { debianTrees, keepAsOthersDo } from "./image-trees.ts";
import type { Measured } from "./row.ts";

/** Medians of so many; the time for one is about five minutes of a quiet machine. */
const ROUNDS = process.env.BENCH_ROUNDS ?? "3";
const RUN = new URL("./image-run.ts", import.meta.url).pathname;

/** The measuring itself is done in namespaces of its own: nobody else's bytes are on its network, and nothing stays mounted. */
export async function image(argv: readonly string[]): Promise<Measured> {
  installPeers();
  makeBundles();
  using folder = temporaryFolder();
  const trees = argv.length === 2 ? await ownTrees(folder.path, argv) : await debianTrees(say);
  const rounds = argv.length === 0 ? ROUNDS : "1";
  const result = join(folder.path, "measured.json");
  const script = `ip link set lo up; exec "$@"`;
  const words = [RUN, trees, folder.path, result, rounds];
  const inside = ["--net", "--mount", "bash", "-ec", script, "image", process.execPath, ...words];
  const { status, signal } = spawnSync("unshare", inside, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`measuring ended with ${status ?? signal}`);
  return JSON.parse(readFileSync(result, "utf8"));
}

async function ownTrees(folder: string, argv: readonly string[]): Promise<string> {
  const trees = join(folder, "trees");
  for (const [index, name] of ["old", "new"].entries()) {
    execFileSync("mkdir", ["-p", trees]);
    execFileSync("cp", ["-a", argv[index] ?? "", join(trees, name)]);
  }
  await keepAsOthersDo(trees, say);
  return trees;
}

function say(text: string): void {
  console.error(`image: ${text}`);
}
