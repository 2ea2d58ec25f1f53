import type { Facts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** GRUB counts in these, whatever the disk's own sectors are. */
const SECTOR = 512;

/** In boot.img: where it finds the sector of core.img it loads, and the jump past the workaround below. */
const KERNEL_SECTOR = 0x5c;
const DRIVE_CHECK = 0x66;
/** Ends the boot code; then come the disk's signature and its partition table, which stay. */
const BOOT_CODE_BYTES = 0x1b8;
/** In the first sector of core.img: where the rest of it is. Its length and load segment are as grub-mkimage wrote them. */
const REST_START = 0x1f4;
const REST_SECTORS = 0x1fc;

export interface BiosBootFacts {
  /** GRUB's boot.img, and the core.img that grub-mkimage made. */
  readonly bootImage: Uint8Array;
  readonly coreImage: Uint8Array;
  /** The first sector of the disk as it is. */
  readonly firstSector: Uint8Array;
  /** Of the disk's logical sectors. */
  readonly sectorBytes: number;
  /** Of the BIOS boot partition: its first sector on the disk, and its length in bytes. */
  readonly partitionStart: number;
  readonly partitionBytes: number;
}

/** What to write to make a disk start GRUB under a BIOS: core.img, then the master boot record that makes it count. */
export interface BiosBootPlan {
  /** For the start of the BIOS boot partition. */
  readonly core: Buffer;
  /** For the first sector: new boot code, the old partition table. */
  readonly bootRecord: Buffer;
}

/** A BIOS reads disks in sectors of 512 bytes; GRUB's first stages and its block lists count in them. */
export function biosCanBoot(sectorBytes: number): boolean {
  return sectorBytes === SECTOR;
}

/** Throws `precondition` for a disk that a machine with this firmware could never start. */
export function refuseUnstartable(
  firmware: Facts["firmware"],
  { name, sectorBytes = SECTOR }: Pick<Facts["disks"][number], "name" | "sectorBytes">,
): void {
  if (firmware === "uefi" || biosCanBoot(sectorBytes)) return;
  throw new HpsError("precondition", `a BIOS cannot start the disk ${name}, whose sectors have ${sectorBytes} bytes`, {
    hint: "choose another disk, or switch the machine to UEFI",
  });
}

/** Tells boot.img where core.img is, and core.img where its rest is: what grub-bios-setup does, without Reed-Solomon codes. */
export function planBiosBoot(facts: BiosBootFacts): BiosBootPlan {
  checkFacts(facts);
  const bootRecord = Buffer.from(facts.firstSector);
  bootRecord.set(facts.bootImage.subarray(0, BOOT_CODE_BYTES));
  bootRecord.writeBigUInt64LE(BigInt(facts.partitionStart), KERNEL_SECTOR);
  // Two NOPs instead of the jump: some BIOSes name another drive than the one they started; then it takes the first.
  bootRecord.writeUInt16LE(0x9090, DRIVE_CHECK);
  bootRecord.writeUInt16LE(0xaa55, SECTOR - 2);
  const core = Buffer.alloc(Math.ceil(facts.coreImage.length / SECTOR) * SECTOR);
  core.set(facts.coreImage);
  core.writeBigUInt64LE(BigInt(facts.partitionStart + 1), REST_START);
  return { core, bootRecord };
}

function checkFacts({ bootImage, coreImage, firstSector, sectorBytes, partitionBytes }: BiosBootFacts): void {
  if (!biosCanBoot(sectorBytes)) {
    throw new HpsError("precondition", `a BIOS cannot start a disk with sectors of ${sectorBytes} bytes`);
  }
  if (bootImage.length !== SECTOR || firstSector.length !== SECTOR) throw new HpsError("internal", "not one sector");
  const sectors = Math.ceil(coreImage.length / SECTOR);
  const image = Buffer.from(coreImage.buffer, coreImage.byteOffset, coreImage.length);
  if (sectors < 2 || image.readUInt16LE(REST_SECTORS) !== sectors - 1) {
    throw new HpsError("data-loss", "core.img of the tools image is not what grub-mkimage writes for a BIOS", {
      hint: "build the installer anew: hpsctl installer-image build",
    });
  }
  if (sectors * SECTOR > partitionBytes) {
    throw new HpsError("precondition", `GRUB's ${sectors * SECTOR} bytes do not fit in ${partitionBytes}`);
  }
}
