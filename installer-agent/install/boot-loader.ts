import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { GRUB_BOOT_IMAGE } from "../../proto/config/grub-images.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { chooseKernel, type KernelChoice } from "../../proto/values/kernel-choice.ts";
import { fileSystemId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { planBiosBoot } from "../plan/bios-boot.ts";
import { ENVIRONMENT_COPIES, encodeBootEnvironment } from "../plan/boot-environment.ts";
import { consoleWords, serialConsole } from "../plan/consoles.ts";
import { grubConfig, slotConfig } from "../plan/grub-config.ts";
import type { PartitionPlace } from "../system/partition-place.ts";
import { TargetRoot } from "../system/target-root.ts";

/** What the target starts, as the files of its image have it. */
export async function findKernel(root: TargetRoot): Promise<KernelChoice> {
  const names = await root.list("boot");
  const files: string[] = [];
  for (const name of names) if ((await root.kind(`boot/${name}`)) === "file") files.push(name);
  const links: { path: string; target: string }[] = [];
  for (const path of ["vmlinuz", "boot/vmlinuz"]) {
    const target = await root.linkText(path);
    if (target !== undefined) links.push({ path: `/${path}`, target });
  }
  return chooseKernel({ files, links });
}

/** `slot.cfg` of slot a: the kernel, and on what consoles it speaks: those that the installer was told of. */
export async function writeSlotConfig(
  root: TargetRoot,
  { kernel, initrd }: KernelChoice,
  { installation, commandLine, image }: SlotOrder,
): Promise<void> {
  const text = slotConfig({
    image,
    kernel: `/${kernel}`,
    initrd: `/${initrd}`,
    arguments: [
      `root=UUID=${fileSystemId(installation, "root-a")}`,
      ...["ro", "hps.slot=a"],
      ...consoleWords(commandLine),
    ],
  });
  await root.write("boot/slot.cfg", text);
}

interface SlotOrder {
  readonly installation: Uuid;
  /** What the installer's kernel was started with. */
  readonly commandLine: string;
  /** Digest of the image, where that is one of packs. */
  readonly image?: string | undefined;
}

/** The ESP of a target, mounted below its root. */
export function espOf(root: string): TargetRoot {
  return new TargetRoot(join(root, "boot/efi"), { fat: true });
}

/**
 * GRUB and its configuration on the ESP, for either firmware. The environment comes first and starts nothing: until the
 * last step sets it, GRUB says that this disk's installation was not finished.
 */
export async function writeEspFiles(esp: TargetRoot, { installation, commandLine, loader }: EspOrder): Promise<void> {
  const serial = serialConsole(consoleWords(commandLine));
  for (const copy of ENVIRONMENT_COPIES) await esp.write(`hps/${copy}`, encodeBootEnvironment({ slot: "none" }));
  const bootA = fileSystemId(installation, "boot-a");
  const bootB = fileSystemId(installation, "boot-b");
  await esp.write("hps/grub.cfg", grubConfig({ bootA, bootB, ...(serial && { serial }) }));
  await esp.write("EFI/hps/grubx64.efi", loader);
  // Where the firmware looks on a disk that it has no entry for: after a move to another machine, or when its memory was reset.
  await esp.write("EFI/BOOT/BOOTX64.EFI", loader);
}

interface EspOrder {
  readonly installation: Uuid;
  /** What the installer's kernel was started with. */
  readonly commandLine: string;
  /** grubx64.efi. */
  readonly loader: Uint8Array;
}

/** Makes the installed slot the one that starts: from here on the disk boots. Both copies in place, the first first. */
export async function commitSlot(esp: TargetRoot): Promise<void> {
  const bytes = encodeBootEnvironment({ slot: "a" });
  for (const copy of ENVIRONMENT_COPIES) {
    await using file = await open(join(esp.path, "hps", copy), constants.O_RDWR | constants.O_NOFOLLOW);
    if ((await file.stat()).size !== bytes.length) {
      throw new HpsError("data-loss", `the boot environment ${copy} on the ESP is not of ${bytes.length} bytes`, {
        hint: "retry; when it stays so the disk loses what is written to it",
      });
    }
    await file.write(bytes, 0, bytes.length, 0);
    await file.sync();
  }
}

export interface BiosDisk {
  /** Folder of GRUB's images. */
  readonly images: string;
  /** Device nodes of the disk and of its BIOS boot partition. */
  readonly disk: string;
  readonly partition: string;
  readonly place: PartitionPlace;
  readonly sectorBytes: number;
}

/** GRUB for a BIOS: first the partition that the boot record will name, then the record, and the table in it stays. */
export async function writeBiosLoader({ images, disk, partition, place, sectorBytes }: BiosDisk): Promise<void> {
  await using record = await open(disk, constants.O_RDWR);
  const firstSector = Buffer.alloc(sectorBytes);
  await record.read(firstSector, 0, sectorBytes, 0);
  const plan = planBiosBoot({
    bootImage: await readFile(join(images, GRUB_BOOT_IMAGE)),
    coreImage: await readFile(join(images, "core.img")),
    ...{ firstSector, sectorBytes, partitionStart: place.startBytes / sectorBytes, partitionBytes: place.bytes },
  });
  await using core = await open(partition, constants.O_RDWR);
  await core.write(plan.core, 0, plan.core.length, 0);
  await core.sync();
  await record.write(plan.bootRecord, 0, plan.bootRecord.length, 0);
  await record.sync();
}
