import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { diskId, PARTITION_ROLES, type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { Disk } from "../plan/disk-choice.ts";
import { partitionName } from "../plan/layout.ts";
import { readDisks } from "./disks.ts";
import { type Device, type Gpt, readGpt } from "./read-gpt.ts";
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
  const bearers = await bearersOf(installation, place);
  const [only, other] = bearers;
  if (only === undefined) {
    throw new HpsError("not-found", "no disk of this machine bears this installation", { hint: ANEW });
  }
  if (other !== undefined) throw copied(bearers.map(({ disk }) => disk));
  const { disk, gpt } = only;
  const { sectorBytes } = deviceOf(disk, place);
  const entries = PARTITION_ROLES.map(async (role): Promise<readonly [PartitionRole, string]> => {
    const entry = gpt.partitions?.find(({ id }) => id === partitionId(installation, role));
    if (entry === undefined) throw incomplete(disk, role);
    const name = partitionName(disk.name, entry.number);
    const span = { start: entry.first * sectorBytes, bytes: (entry.last - entry.first + 1) * sectorBytes };
    if (!(await isPartition(name, span, place))) throw incomplete(disk, role);
    return [role, nodeOf(name, place.dev)];
  });
  return { disk, partitions: rolesOf(await Promise.all(entries)) };
}

/** Throws when another disk than `chosen` bears this installation: with two of them nothing would be found any more. */
export async function refuseCopies(installation: Uuid, chosen: Disk, place = MACHINE): Promise<void> {
  const others = (await bearersOf(installation, place)).filter(({ disk }) => disk.name !== chosen.name);
  if (others.length > 0) throw copied([chosen, ...others.map(({ disk }) => disk)]);
}

async function bearersOf(installation: Uuid, place: DevicePlace) {
  const found: { readonly disk: Disk; readonly gpt: Gpt }[] = [];
  for (const disk of await readDisks(place.sys)) {
    const gpt = await readGpt(deviceOf(disk, place)).catch(() => undefined); // one that cannot be read is not ours
    if (gpt?.diskId === diskId(installation)) found.push({ disk, gpt });
  }
  return found;
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

const ANEW = "see that the disk is there; else hpsctl installation cancel HOST, and install anew";

function incomplete(disk: Disk, role: PartitionRole): HpsError {
  const what = `the disk ${disk.name} bears this installation, but not its partition ${role} as it was made`;
  return new HpsError("precondition", what, { hint: ANEW });
}

function copied(disks: readonly Disk[]): HpsError {
  const names = disks.map(({ name }) => name).join(" and ");
  return new HpsError("precondition", `the disks ${names} would both bear this installation`, {
    hint: "take the one that is not meant out, or wipe its partition table in a shell of this machine, then retry",
  });
}
