import { join } from "node:path";
import type { Facts } from "../../proto/values/facts.ts";
import { readAttachment } from "./disk-path.ts";
import { listSysfs, readSysfs, readSysfsNumber, readSysfsText } from "./sysfs.ts";

type Disk = Facts["disks"][number];

const SECTOR = 512;
const MOST = 1024;
/** Sizes of a logical sector that there are: 4Kn disks have the larger. */
const SECTORS = [512, 1024, 2048, 4096];

/** Has a device behind it and is no disk: CD, floppy, boot and protected areas of an MMC card. */
const NO_DISK = /^(sr|fd)\d+$|^mmcblk\d+(boot\d+|rpmb)$/;

/** Disks with a device behind them, which loops, RAM disks and mapped devices have not. */
export async function readDisks(sys: string): Promise<Disk[]> {
  const names = (await listSysfs(join(sys, "block"))).slice(0, MOST);
  const disks = await Promise.all(names.map((name) => readDisk(name, join(sys, "block", name))));
  return disks.filter((disk) => disk !== undefined);
}

async function readDisk(name: string, folder: string): Promise<Disk | undefined> {
  const sectors = (await readSysfsNumber(join(folder, "size"))) ?? 0;
  const devices = await listSysfs(join(folder, "device"));
  if (devices.length === 0 || sectors <= 0 || !/^[!-~]{1,64}$/.test(name) || NO_DISK.test(name)) return undefined;
  const serial = await serialOf(folder);
  const model = await readSysfsText(join(folder, "device/model"));
  const wwn = (await wwnOf(join(folder, "wwid"))) ?? (await wwnOf(join(folder, "device/wwid")));
  const rotational = await readSysfsNumber(join(folder, "queue/rotational"));
  const removable = await readSysfsNumber(join(folder, "removable"));
  const sectorBytes = await readSysfsNumber(join(folder, "queue/logical_block_size"));
  return {
    name,
    sizeBytes: sectors * SECTOR,
    ...(serial !== undefined && { serial }),
    ...(model !== undefined && { model }),
    ...(wwn !== undefined && { wwn }),
    ...(rotational !== undefined && { rotational: rotational === 1 }),
    ...(removable !== undefined && { removable: removable === 1 }),
    ...(sectorBytes !== undefined && SECTORS.includes(sectorBytes) && { sectorBytes }),
    ...(await readAttachment(folder)),
  };
}

/** Not what the kernel puts together from vendor, model and serial number where there is none. */
async function wwnOf(file: string): Promise<string | undefined> {
  const text = await readSysfsText(file);
  return text !== undefined && /^(naa|eui|uuid)\.[0-9a-fA-F-]{8,64}$/.test(text) ? text : undefined;
}

/** virtio and MMC, NVMe, SCSI and SATA keep it in different places. */
async function serialOf(folder: string): Promise<string | undefined> {
  const text =
    (await readSysfsText(join(folder, "serial"))) ??
    (await readSysfsText(join(folder, "device/serial"))) ??
    vpdSerial(await readSysfs(join(folder, "device/vpd_pg80")));
  return text === "" ? undefined : text;
}

/** The unit serial number page (SPC-4, section 7.8.15): four bytes of header, the last of them the length. */
function vpdSerial(page: Buffer | undefined): string | undefined {
  if (page === undefined || page[1] !== 0x80) return undefined;
  const text = page
    .subarray(4, 4 + (page[3] ?? 0))
    .toString("latin1")
    .replaceAll("\0", "")
    .trim();
  return /^[ -~]{1,128}$/.test(text) ? text : undefined;
}
