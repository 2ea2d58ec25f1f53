import { open } from "node:fs/promises";
import { join } from "node:path";
import { ESP_LOADER } from "../../proto/config/local-boot.ts";
import { labFolder } from "./janitor.ts";
import { must } from "./run.ts";
import { grubImage } from "./tiny-installer.ts";

const MIB = 1024 ** 2;
const ESP_MIB = 64;
/** Prints what follows it with the BIOS and stops: `mov si, 7c20h; lodsb; or al, al; jz; mov ah, 0eh; int 10h; jmp; hlt; jmp`. */
const PRINT_AND_STOP = Buffer.from("31c08ed8be207cac08c07409b40ebb0700cd10ebf2f4ebfd", "hex");
const MESSAGE_AT = 0x20;

/** What the disk says when it boots. */
export const diskSays = (name: string) => `the disk of ${name} runs`;

export interface BootableDisk {
  readonly file: string;
  readonly name: string;
  /** The FAT volume id of its ESP, as GRUB prints it. */
  readonly espVolume: string;
}

/** Writes a disk that either firmware boots, and that then says whose it is: GPT, an ESP with a loader where HPS has its own, and boot code. */
export async function makeBootable({ file, name, espVolume }: BootableDisk): Promise<void> {
  const folder = await labFolder();
  const [esp, loader] = [join(folder, "esp"), join(folder, "loader")];
  await must(["sfdisk", "--quiet", file], { input: `label: gpt\nsize=${ESP_MIB}MiB, type=uefi\n` });
  const modules = ["part_gpt", "fat", "echo", "sleep", "halt"];
  await grubImage({ config: `echo "${diskSays(name)} from $root"\nsleep 600\n`, modules, to: loader });
  await must(["mkfs.vfat", "-C", "-F", "32", "-i", espVolume.replace("-", ""), esp, String(ESP_MIB * 1024)]);
  await must(["mmd", "-i", esp, "::/EFI", "::/EFI/hps"]);
  await must(["mcopy", "-i", esp, loader, `::${ESP_LOADER}`]);
  await must(["dd", `if=${esp}`, `of=${file}`, "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none"]);
  const disk = await open(file, "r+");
  try {
    await disk.write(PRINT_AND_STOP, 0, PRINT_AND_STOP.length, 0);
    await disk.write(Buffer.from(`\r\n${diskSays(name)}\r\n\0`), 0, undefined, MESSAGE_AT);
    // A BIOS boots what has an active partition or none at all; the protective one is not.
    await disk.write(Buffer.from([0x80]), 0, 1, 446);
  } finally {
    await disk.close();
  }
}

export const BOOTABLE_BYTES = 128 * MIB;
