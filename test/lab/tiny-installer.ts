import { appendFile, copyFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LOCAL_BOOT_CONFIG, LOCAL_BOOT_MODULES } from "../../proto/config/local-boot.ts";
import type { HpsdRack } from "./hpsd-rack.ts";
import { importInstallerFolder } from "./installer-folder.ts";
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
export async function importTinyInstaller(lab: Pick<HpsdRack, "hpsctl">): Promise<void> {
  const folder = await labFolder();
  const file = (name: string) => join(folder, name);
  await copyFile((await guestKernel()).kernel, file("kernel"));
  await smallInitrd(file("initrd.img"), SCRIPT);
  await padInitrd(file("initrd.img"));
  await writeFile(file("tools.squashfs"), "none");
  await grubImage({ config: LOCAL_BOOT_CONFIG, modules: LOCAL_BOOT_MODULES, to: file("grub.efi") });
  for (const name of ["ipxe.efi", "undionly.kpxe"]) await copyFile(`/usr/lib/ipxe/${name}`, file(name));
  await importInstallerFolder(lab, folder);
}

/** The kernel's UEFI stub puts the next archive right behind it, and looks for one at multiples of 4 alone. */
export async function padInitrd(file: string): Promise<void> {
  await appendFile(file, Buffer.alloc((4 - ((await stat(file)).size % 4)) % 4));
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
