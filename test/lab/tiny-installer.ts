import { createHash } from "node:crypto";
import { appendFile, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatInstallerSet, INSTALLER_FILES, INSTALLER_SET_FILE } from "../../proto/config/installer-set.ts";
import { LOCAL_BOOT_CONFIG, LOCAL_BOOT_MODULES } from "../../proto/config/local-boot.ts";
import type { HpsdRack } from "./hpsd-rack.ts";
import { labFolder } from "./janitor.ts";
import { must } from "./run.ts";
import { guestKernel, smallInitrd } from "./vm/boot-files.ts";

/** Says how it was booted and what came with it, then restarts when told. */
const SCRIPT = `
echo "kernel line: $(cat /proc/cmdline)"
echo "claim: $(stat -c '%a %u' /etc/hps/claim.json) $(grep -o '"installation":"[^"]*"' /etc/hps/claim.json)"
[ -d /sys/firmware/efi ] && echo "booted by uefi" || echo "booted by bios"
echo "the tiny installer is up"
read line
reboot -f
`;

/** Imports an installer that boots like the real one and installs nothing: its kernel is real, its initramfs only reports. */
export async function importTinyInstaller({ hpsctl }: Pick<HpsdRack, "hpsctl">): Promise<void> {
  const folder = await labFolder();
  const file = (name: string) => join(folder, name);
  await copyFile((await guestKernel()).kernel, file("kernel"));
  await smallInitrd(file("initrd.img"), SCRIPT);
  // The kernel's UEFI stub puts the next archive right behind it, and looks for one at multiples of 4 alone.
  await appendFile(file("initrd.img"), Buffer.alloc((4 - ((await stat(file("initrd.img"))).size % 4)) % 4));
  await writeFile(file("tools.squashfs"), "none");
  await grubImage({ config: LOCAL_BOOT_CONFIG, modules: LOCAL_BOOT_MODULES, to: file("grub.efi") });
  for (const name of ["ipxe.efi", "undionly.kpxe"]) await copyFile(`/usr/lib/ipxe/${name}`, file(name));
  const names = INSTALLER_FILES.filter((name) => name !== "firmware.img");
  const files = await Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(file(name));
      return { name, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    }),
  );
  await writeFile(file(INSTALLER_SET_FILE), formatInstallerSet({ format: 1, version: "0.0.1", files }));
  const done = await hpsctl("installer-image", "import", folder);
  if (done.code !== 0) throw new Error(`importing the tiny installer: ${done.stderr}`);
}

interface GrubImage {
  readonly config: string;
  readonly modules: readonly string[];
  readonly to: string;
}

/** A GRUB for UEFI that does what this configuration says. */
export async function grubImage({ config, modules, to }: GrubImage): Promise<void> {
  await writeFile(`${to}.cfg`, config);
  const how = ["--format", "x86_64-efi", "--prefix", "/hps", "--config", `${to}.cfg`, "--output", to];
  await must(["grub-mkimage", ...how, ...modules]);
}
