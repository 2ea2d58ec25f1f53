import { readSmallFile } from "../../proto/config/private-file.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { aptSourcesFor, withComponents } from "../build/apt-sources.ts";
import { readSourceFiles } from "../build/host-apt.ts";
import { buildInstaller } from "../build/installer/installer-image.ts";
import { cacheFolder } from "../build/package-cache.ts";
import { note } from "../output/print.ts";
import type { Call } from "./call.ts";
import type { AddCommands } from "./group.ts";
import { addInstallerImportCommands } from "./installer-image-import.ts";

/** Where Debian keeps firmware, since bookworm and before. */
const FIRMWARE_COMPONENTS = ["non-free-firmware", "non-free"];

export const addInstallerImageCommands: AddCommands = (group, tools) => {
  group
    .command("build")
    .description("build an installer set from Debian packages")
    .requiredOption("--out <folder>", "where to put it")
    .option("--kernel <package>", "the kernel's package", "linux-image-amd64")
    .option("--firmware <package...>", "packages of firmware for an extra initrd", [])
    .option("--lock <file>", "exactly these packages: a lock.json of an earlier build")
    .option("--suite <suite>", "Debian's suite", "bookworm")
    .option("--mirror <url>", "take packages from here instead of this machine's apt sources")
    .action(tools.run(build));
  addInstallerImportCommands(group, tools);
};

interface BuildOptions {
  readonly out: string;
  readonly kernel: string;
  readonly firmware: readonly string[];
  readonly lock?: string;
  readonly suite: string;
  readonly mirror?: string;
}

async function build(call: Call): Promise<number> {
  const { out, kernel, firmware, lock, suite, mirror } = call.options<BuildOptions>();
  const { environment, signal } = call.terminal;
  const text = lock === undefined ? undefined : await readSmallFile(lock);
  if (lock !== undefined && text === undefined) throw new HpsError("not-found", `${lock} does not exist`);
  const own = aptSourcesFor(suite, await readSourceFiles(), mirror);
  const sources = firmware.length === 0 ? own : withComponents(own, FIRMWARE_COMPONENTS);
  const set = await buildInstaller({
    ...{ out, kernel, firmware, sources, cache: cacheFolder(environment) },
    ...(text !== undefined && { lock: text }),
    place: { environment, signal },
    note: (line) => void note(call.terminal, line),
  });
  for (const { name, size } of set.files) await note(call.terminal, `${name} ${(size / 1e6).toFixed(1)} MB`);
  return 0;
}
