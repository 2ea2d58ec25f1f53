import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatInstallerSet, INSTALLER_FILES, INSTALLER_SET_FILE } from "../../proto/config/installer-set.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HpsdRack } from "./hpsd-rack.ts";

/** Describes the files of this folder as an installer set, and imports it. */
export async function importInstallerFolder({ hpsctl }: Pick<HpsdRack, "hpsctl">, folder: string): Promise<void> {
  const present = new Set(await readdir(folder));
  const files = await Promise.all(
    INSTALLER_FILES.filter((name) => present.has(name)).map(async (name) => {
      const bytes = await readFile(join(folder, name));
      return { name, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    }),
  );
  await writeFile(join(folder, INSTALLER_SET_FILE), formatInstallerSet({ format: 1, version: "0.0.1", files }));
  const done = await hpsctl("installer-image", "import", folder);
  if (done.code !== 0) throw new HpsError("internal", `importing the installer ${folder}: ${done.stderr}`);
}
