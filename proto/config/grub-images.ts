/**
 * The GRUB images that `hpsctl installer-image build` makes with grub-mkimage and the step `bootloader` puts on a disk.
 * They hold every module they need and no configuration of their own: with the prefix below they read `/hps/grub.cfg`
 * from the ESP of the disk they were started from, so one image serves every disk, wherever it is moved.
 */
export interface GrubImage {
  /** Name of the file in the tools image, below GRUB_IMAGES_FOLDER. */
  readonly file: "core.img" | "grubx64.efi";
  /** grub-mkimage --format. */
  readonly format: "i386-pc" | "x86_64-efi";
  /** grub-mkimage --prefix. */
  readonly prefix: string;
  readonly modules: readonly string[];
}

/** Where the tools image holds them: with boot.img, GRUB's own master boot record, which is copied as it is. */
export const GRUB_IMAGES_FOLDER = "/usr/lib/hps/grub";
export const GRUB_BOOT_IMAGE = "boot.img";

/** What grub.cfg and slot.cfg use, and what a person at GRUB's prompt needs to look around. */
const MODULES: readonly string[] = [
  ...["part_gpt", "fat", "ext2"],
  ...["normal", "configfile", "search", "search_fs_uuid", "loadenv", "test", "echo", "sleep"],
  ...["linux", "serial", "terminal"],
  ...["minicmd", "ls", "cat", "halt", "reboot"],
];

export const GRUB_IMAGES: readonly GrubImage[] = [
  // No disk before the comma: the one the BIOS started.
  { file: "core.img", format: "i386-pc", prefix: "(,gpt1)/hps", modules: ["biosdisk", ...MODULES] },
  // No device at all: the one the firmware, or another GRUB, loaded it from. Without efi_gop Linux has no screen.
  { file: "grubx64.efi", format: "x86_64-efi", prefix: "/hps", modules: ["efi_gop", ...MODULES] },
];
