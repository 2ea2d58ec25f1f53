import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** The files of an installer, by the names they have everywhere: in its folder, in the contract, in boot scripts. */
const INSTALLER_FILES = [
  "kernel",
  "initrd.img",
  "tools.squashfs",
  /** The boot loader that finds a host's own disk (UEFI). */
  "grub.efi",
  /** What a machine's firmware loads first: UEFI, and BIOS. */
  "ipxe.efi",
  "undionly.kpxe",
  /** Firmware that drivers want: a second initramfs. */
  "firmware.img",
] as const;
export type InstallerFileName = (typeof INSTALLER_FILES)[number];

/** Without these no machine is installed. */
export const NEEDED_INSTALLER_FILES: readonly InstallerFileName[] = ["kernel", "initrd.img", "tools.squashfs"];

export function parseInstallerFileName(text: string): InstallerFileName {
  const name = INSTALLER_FILES.find((candidate) => candidate === text);
  if (name !== undefined) return name;
  throw new HpsError("invalid", `no file of an installer is called ${quote(text)}`, {
    hint: `they are ${INSTALLER_FILES.join(", ")}`,
  });
}
