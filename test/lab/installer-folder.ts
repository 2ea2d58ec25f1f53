import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatInstallerSet, INSTALLER_FILES, INSTALLER_SET_FILE } from "../../proto/config/installer-set.ts";
import { fileDigest } from "../../proto/flow/file-digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HpsdRack } from "./hpsd-rack.ts";

/** Describes the files of this folder as an installer set, and imports it. */
export async function importInstallerFolder({ hpsctl }: Pick<HpsdRack, "hpsctl">, folder: string): Promise<void> {
  const present = new Set(await readdir(folder));
  const names = INSTALLER_FILES.filter((name) => present.has(name));
  const files = await describeFiles(folder, names);
  await writeFile(join(folder, INSTALLER_SET_FILE), formatInstallerSet({ format: 1, version: "0.0.1", files }));
  const done = await hpsctl("installer-image", "import", folder);
  if (done.code !== 0) throw new HpsError("internal", `importing the installer ${folder}: ${done.stderr}`);
}

/** Size and digest of these files of a folder, as an installer set lists them. */
export async function describeFiles<Name extends string>(folder: string, names: readonly Name[]) {
  return await Promise.all(
    names.map(async (name) => {
      const file = join(folder, name);
      return { name, size: (await stat(file)).size, sha256: await fileDigest(file) };
    }),
  );
}
