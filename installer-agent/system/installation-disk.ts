import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { diskId, PARTITION_ROLES, type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { Disk } from "../plan/disk-choice.ts";
import { partitionName } from "../plan/layout.ts";
import { readDisks } from "./disks.ts";
import { type Device, readGpt } from "./read-gpt.ts";
import { readSysfsNumber } from "./sysfs.ts";

/** A disk that bears an installation, and the device node of each of its partitions. */
export interface InstallationDisk {
  readonly disk: Disk;
  readonly partitions: Readonly<Record<PartitionRole, string>>;
}

/** Where a machine's devices are; not the real ones in a test. */
export interface DevicePlace {
  readonly sys: string;
  readonly dev: string;
}

export const MACHINE: DevicePlace = { sys: "/sys", dev: "/dev" };

/** The kernel counts in these whatever the disk's sectors are. */
const KERNEL_SECTOR = 512;

export function deviceOf({ name, sizeBytes, sectorBytes = KERNEL_SECTOR }: Disk, { dev }: DevicePlace): Device {
  return { node: nodeOf(name, dev), sizeBytes, sectorBytes };
}

/** sysfs has `!` where /dev has a folder: `cciss!c0d0`. */
export function nodeOf(name: string, dev: string): string {
  return join(dev, name.replaceAll("!", "/"));
}

/**
 * The disk with this installation's GUID and all its partitions as the kernel sees them, by their GUIDs alone: names and
 * labels may be the same on an older disk. `not-found` where there is none, `precondition` where there are two, or the
 * kernel has other partitions than the disk.
 */
export async function findInstallation(installation: Uuid, place = MACHINE): Promise<InstallationDisk> {
  const found: InstallationDisk[] = [];
  for (const disk of await readDisks(place.sys)) {
    const gpt = await readGpt(deviceOf(disk, place)).catch(() => undefined); // one that cannot be read is not ours
    if (gpt?.diskId !== diskId(installation)) continue;
    const entries = PARTITION_ROLES.map(async (role): Promise<readonly [PartitionRole, string]> => {
      const entry = gpt.partitions?.find(({ id }) => id === partitionId(installation, role));
      if (entry === undefined) throw incomplete(disk, role);
      const name = partitionName(disk.name, entry.number);
      const { sectorBytes } = deviceOf(disk, place);
      const span = { start: entry.first * sectorBytes, bytes: (entry.last - entry.first + 1) * sectorBytes };
      if (!(await isPartition(name, span, place))) throw incomplete(disk, role);
      return [role, nodeOf(name, place.dev)];
    });
    found.push({ disk, partitions: rolesOf(await Promise.all(entries)) });
  }
  const [only, other] = found;
  if (only === undefined) {
    throw new HpsError("not-found", "no disk of this machine bears this installation", {
      hint: "it begins anew with the step storage",
    });
  }
  if (other === undefined) return only;
  const names = found.map(({ disk }) => disk.name).join(" and ");
  throw new HpsError("precondition", `the disks ${names} both bear this installation: one is a copy of the other`, {
    hint: "take one of them out, or wipe its partition table, then retry",
  });
}

/** Whether the kernel's partition `name` is that piece of the disk, in bytes. */
export async function isPartition(
  name: string,
  { start, bytes }: { readonly start: number; readonly bytes: number },
  { sys }: DevicePlace,
): Promise<boolean> {
  const folder = join(sys, "class/block", name);
  const [from, size] = [await readSysfsNumber(join(folder, "start")), await readSysfsNumber(join(folder, "size"))];
  return from === start / KERNEL_SECTOR && size === bytes / KERNEL_SECTOR;
}

function rolesOf(entries: readonly (readonly [PartitionRole, string])[]): Readonly<Record<PartitionRole, string>> {
  const node = (role: PartitionRole) => entries.find(([own]) => own === role)?.[1] ?? "";
  return {
    ...{ esp: node("esp"), bios: node("bios"), "boot-a": node("boot-a"), "boot-b": node("boot-b") },
    ...{ "root-a": node("root-a"), "root-b": node("root-b"), state: node("state") },
  };
}

function incomplete(disk: Disk, role: PartitionRole): HpsError {
  return new HpsError("precondition", `the disk ${disk.name} bears this installation but no partition ${role} of it`, {
    hint: "it begins anew with the step storage",
  });
}
