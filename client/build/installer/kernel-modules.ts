import { link, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { DRIVERS, NOT_DRIVERS } from "./driver-list.ts";
import { unpackedCommand } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import type { Unpacked } from "./unpacked.ts";
import { walk } from "./unpacked.ts";

/** What modprobe of the installer reads. */
const INDEXES = ["modules.dep", "modules.alias", "modules.symbols", "modules.softdep"] as const;
const LISTS = ["modules.order", "modules.builtin", "modules.builtin.modinfo"] as const;

/** The chosen modules and all they need, of all there are; `dependencies` is the text of modules.dep. */
export function chooseModules(dependencies: string): readonly string[] {
  const needs = new Map(
    dependencies
      .split("\n")
      .filter((line) => line !== "")
      .map((line): [string, readonly string[]] => {
        const [module = "", rest = ""] = line.split(":");
        return [module, rest.split(" ").filter((name) => name !== "")];
      }),
  );
  const chosen = new Set<string>();
  const waiting = [...needs.keys()].filter(isWanted);
  for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
    if (chosen.has(module)) continue;
    chosen.add(module);
    waiting.push(...(needs.get(module) ?? []));
  }
  return [...chosen].sort();
}

function isWanted(module: string): boolean {
  const path = module.replace(/^kernel\//, "");
  const isIn = (place: string) => path === place || path.startsWith(`${place}/`);
  return DRIVERS.some(isIn) && !NOT_DRIVERS.some((place) => isIn(place) || path.startsWith(place));
}

/** A kernel's chosen modules with their indexes, in `into/lib/modules/VERSION`; gives the version. */
export async function stageModules(
  kernelRoot: string,
  { unpacked, into, place }: { readonly unpacked: Unpacked; readonly into: string; readonly place: ProgramPlace },
): Promise<string> {
  const version = onlyVersion(kernelRoot);
  const depmod = unpackedCommand("sbin/depmod", unpacked);
  const from = join(kernelRoot, "lib/modules", version);
  await runProgram([...depmod, "--basedir", kernelRoot, version], place);
  const modules = chooseModules(await readFile(join(from, "modules.dep"), "utf8"));
  const to = join(into, "lib/modules", version);
  for (const path of [...modules, ...LISTS]) {
    await mkdir(join(to, dirname(path)), { recursive: true });
    await link(join(from, path), join(to, path));
  }
  await runProgram([...depmod, "--basedir", into, version], place);
  return version;
}

/** Whether a file of a modules' folder goes along. */
export function isModuleFile(path: string): boolean {
  return path.endsWith(".ko") || INDEXES.some((name) => path.endsWith(`/${name}`));
}

function onlyVersion(kernelRoot: string): string {
  const versions = walk(join(kernelRoot, "lib/modules")).filter(({ path }) => !path.includes("/"));
  const [version] = versions;
  if (version === undefined || versions.length > 1) {
    throw new HpsError("invalid", "the kernel's package does not hold the modules of exactly one kernel");
  }
  return version.path;
}
