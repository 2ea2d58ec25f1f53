import { join } from "node:path";
import type { Command } from "commander";
import { INSTALLER_SET_FILE, type InstallerSet, parseInstallerSet } from "../../proto/config/installer-set.ts";
import { readSmallFile } from "../../proto/config/private-file.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type ArchiveFile, digestOfFile, openFile, readArchive } from "../build/archive-file.ts";
import { INSTALLER_VIEW } from "../output/image-view.ts";
import { printOne } from "../output/print.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { interruptible } from "./interruptible.ts";

/** `installer-image import` and `get`. */
export function addInstallerImportCommands(group: Command, tools: Tools): void {
  group
    .command("import")
    .description("bring an installer set to hpsd; machines that boot from then on get it")
    .argument("<folder>", "as `hpsctl installer-image build --out` made it")
    .action(tools.run(importSet));
  group.command("get").description("show the installer that machines boot").action(tools.run(get));
}

async function get(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, INSTALLER_VIEW, await hps.installers.getInstaller({}, call.once));
  return 0;
}

/** Nothing is sent before every file was seen to be the one that was built. */
async function importSet(call: Call): Promise<number> {
  const folder = call.operand(0);
  const hps = await call.connect();
  const installer = await interruptible(call, "hpsd has the installer it had", async () => {
    const set = await readSet(folder);
    const files = await checkedFiles(call, folder, set);
    const total = set.files.reduce((sum, { size }) => sum + size, 0);
    using bar = new ProgressBar(call.terminal, "sending the installer", total);
    return await hps.importInstaller(announcementOf(set), bar.through(allOf(files)), call.stream);
  });
  await printOne(call, INSTALLER_VIEW, installer);
  return 0;
}

async function readSet(folder: string): Promise<InstallerSet> {
  const text = await readSmallFile(join(folder, INSTALLER_SET_FILE));
  if (text !== undefined) return parseInstallerSet(text);
  throw new HpsError("not-found", `${folder} holds no ${INSTALLER_SET_FILE}`, {
    hint: "make a set with hpsctl installer-image build --out FOLDER",
  });
}

async function checkedFiles(call: Call, folder: string, set: InstallerSet): Promise<readonly ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  for (const { name, size, sha256 } of set.files) {
    const file = await openFile(join(folder, name));
    const right = file.sizeBytes === size && (await digestOfFile(file, call.terminal.signal)) === sha256;
    if (!right) {
      throw new HpsError("data-loss", `${join(folder, name)} is not the file that ${INSTALLER_SET_FILE} names`, {
        hint: "build the set again",
      });
    }
    files.push(file);
  }
  return files;
}

function announcementOf({ version, files }: InstallerSet) {
  return {
    version,
    files: files.map(({ name, size, sha256 }) => ({ name, file: { digest: sha256, sizeBytes: BigInt(size) } })),
  };
}

async function* allOf(files: readonly ArchiveFile[]): AsyncGenerator<Uint8Array, void> {
  for (const file of files) yield* readArchive(file);
}
