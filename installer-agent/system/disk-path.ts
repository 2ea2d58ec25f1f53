import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { listSysfs, readSysfsText } from "./sysfs.ts";

/** How a disk is attached, and its name below /dev/disk/by-path as udev makes it, where it has one. */
export interface DiskAttachment {
  /** `virtio`, `nvme`, `sata`, `sas`, `usb`, `mmc`, `scsi`. */
  readonly transport?: string;
  readonly path?: string;
}

const PCI = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const SCSI = /^(\d+):(\d+):(\d+):(\d+)$/;

/** Reads it off the place of the device in sysfs; `folder` is `/sys/block/NAME`. */
export async function readAttachment(folder: string): Promise<DiskAttachment> {
  const parts = (await realpath(join(folder, "device")).catch(() => "")).split("/");
  const pci = parts.findLastIndex((part) => PCI.test(part));
  const below = parts.slice(pci + 1);
  const sas = await readSysfsText(join(folder, "device/sas_address"));
  const transport = transportOf(below, sas !== undefined);
  if (pci < 0 || transport === undefined) return transport === undefined ? {} : { transport };
  const ends = [`pci-${parts[pci]}`];
  const usb = below.findLast((part) => /^\d+-[\d.]+:\d+\.\d+$/.test(part));
  if (usb !== undefined) ends.push(`usb-0:${usb.slice(usb.indexOf("-") + 1)}`);
  const last = await lastPart({ folder, parts, transport, sas });
  return { transport, path: [...ends, ...last].join("-") };
}

function transportOf(below: readonly string[], sas: boolean): string | undefined {
  const has = (pattern: RegExp) => below.some((part) => pattern.test(part));
  if (has(/^usb\d+$/)) return "usb";
  if (has(/^ata\d+$/)) return "sata";
  if (has(/^nvme$/)) return "nvme";
  if (sas) return "sas";
  if (has(/^mmc_host$/)) return "mmc";
  if (has(SCSI)) return "scsi";
  return has(/^virtio\d+$/) ? "virtio" : undefined;
}

interface Place {
  readonly folder: string;
  readonly parts: readonly string[];
  readonly transport: string;
  readonly sas: string | undefined;
}

/** Which of the disks behind the same controller. */
async function lastPart({ folder, parts, transport, sas }: Place): Promise<readonly string[]> {
  const scsi = SCSI.exec(parts.at(-1) ?? "");
  if (transport === "nvme") {
    const id = await readSysfsText(join(folder, "nsid"));
    return id === undefined ? [] : [`nvme-${id}`];
  }
  if (transport === "sata") {
    const at = parts.findLastIndex((part) => /^ata\d+$/.test(part));
    const port = join(parts.slice(0, at + 1).join("/"), "ata_port", parts[at] ?? "", "port_no");
    return [`ata-${(await readSysfsText(port)) ?? "1"}`];
  }
  if (transport === "sas" && scsi !== null) return [`sas-${sas}-lun-${scsi[4]}`];
  if (scsi === null) return [];
  return [`scsi-${await hostIndex(parts, Number(scsi[1]))}:${scsi[2]}:${scsi[3]}:${scsi[4]}`];
}

/** The numbers of SCSI hosts depend on the order of loading; their order below one controller does not. */
async function hostIndex(parts: readonly string[], host: number): Promise<number> {
  const at = parts.lastIndexOf(`host${host}`);
  const siblings = await listSysfs(parts.slice(0, at).join("/"));
  const numbers = siblings.map((name) => /^host(\d+)$/.exec(name)?.[1]).filter((number) => number !== undefined);
  return host - Math.min(host, ...numbers.map(Number));
}
