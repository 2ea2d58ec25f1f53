import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatInstallerSet, INSTALLER_SET_FILE, parseInstallerSet } from "../../proto/config/installer-set.ts";
import { describeFiles } from "./installer-folder.ts";
import { must } from "./run.ts";

/** A key that OVMF's variables of a machine with `secureBoot` trust; public by intent: Debian's package `ovmf` holds both halves. */
const KEY = "/usr/share/ovmf/PkKek-1-snakeoil";
const PASSPHRASE = "snakeoil";
const PROGRAMS = ["kernel", "grub.efi", "ipxe.efi"];

/** A copy of an installer set, in this new folder, of which the firmware of a machine with `secureBoot` starts every part. */
export async function signedSet(set: string, into: string): Promise<string> {
  await cp(set, into, { recursive: true });
  const key = join(into, "key");
  await must(["openssl", "rsa", "-in", `${KEY}.key`, "-passin", `pass:${PASSPHRASE}`, "-out", key]);
  for (const name of PROGRAMS) {
    const file = join(into, name);
    await must(["sbsign", "--key", key, "--cert", `${KEY}.pem`, "--output", file, file]);
  }
  const list = join(into, INSTALLER_SET_FILE);
  const made = parseInstallerSet(await readFile(list, "utf8"));
  const names = made.files.map(({ name }) => name);
  const files = await describeFiles(into, names);
  await writeFile(list, formatInstallerSet({ ...made, files }));
  return into;
}
