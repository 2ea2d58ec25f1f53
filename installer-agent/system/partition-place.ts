import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type DevicePlace, MACHINE } from "./installation-disk.ts";
import { readSysfsNumber } from "./sysfs.ts";

/** Where a partition lies on its disk. */
export interface PartitionPlace {
  readonly number: number;
  readonly startBytes: number;
  readonly bytes: number;
}

/** The kernel counts in these whatever the disk's sectors are. */
const KERNEL_SECTOR = 512;

/** Asks the kernel where the partition of this device node lies. */
export async function readPartitionPlace(node: string, { sys, dev }: DevicePlace = MACHINE): Promise<PartitionPlace> {
  const folder = join(sys, "class/block", node.slice(dev.length + 1).replaceAll("/", "!"));
  const read = (name: string) => readSysfsNumber(join(folder, name));
  const [number, start, size] = [await read("partition"), await read("start"), await read("size")];
  if (number === undefined || start === undefined || size === undefined) {
    throw new HpsError("precondition", `${node} is no partition that the kernel knows`);
  }
  return { number, startBytes: start * KERNEL_SECTOR, bytes: size * KERNEL_SECTOR };
}
