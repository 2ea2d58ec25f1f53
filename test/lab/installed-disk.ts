import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readGpt } from "../../installer-agent/system/read-gpt.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { labFolder } from "./janitor.ts";
import { loopReleased } from "./loop-devices.ts";
import type { Rack } from "./rack.ts";

const SECTOR = 512;

/** Where a partition lies on a disk, in bytes. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** Of an installation's partition, as the table on the raw disk of a machine that is off has it. */
export async function extentOf(disk: string, installation: Uuid, role: PartitionRole): Promise<Extent> {
  const gpt = await readGpt({ node: disk, sizeBytes: (await stat(disk)).size, sectorBytes: SECTOR });
  const found = gpt?.partitions?.find(({ id }) => id === partitionId(installation, role));
  if (found === undefined) throw new HpsError("not-found", `${disk} has no partition ${role} of ${installation}`);
  return { offset: found.first * SECTOR, size: (found.last - found.first + 1) * SECTOR };
}

export interface InstalledSystem extends AsyncDisposable {
  /** Leads to its root, `/boot` mounted. */
  readonly root: string;
}

/** No journal is replayed: nothing on the disk changes by being looked at. The kernel believes no device of it. */
const MOUNT = `
  look() { mount -t ext4 -o "ro,noload,nodev,nosuid,noexec,loop,offset=$1,sizelimit=$2" "$disk" "$3"; }
  disk=$0 && look "$2" "$3" "$1" && look "$4" "$5" "$1/boot" && echo mounted && exec sleep infinity`;

/**
 * Mounts slot a of a machine that is off, to be read only: in a mount namespace of a process in the rack's, so that it is
 * seen nowhere else and is gone with either.
 */
export async function mountInstalled(
  rack: Pick<Rack, "start">,
  disk: string,
  installation: Uuid,
): Promise<InstalledSystem> {
  const place = await labFolder();
  const root = await extentOf(disk, installation, "root-a");
  const boot = await extentOf(disk, installation, "boot-a");
  const words = [root.offset, root.size, boot.offset, boot.size].map(String);
  const argv = ["unshare", "--mount", "--", "sh", "-c", MOUNT, disk, place, ...words];
  const holder = await rack.start({ argv, readyLine: /^mounted$/m });
  return {
    root: join(`/proc/${holder.pid}/root`, place),
    async [Symbol.asyncDispose]() {
      await holder.stop("SIGKILL");
      await loopReleased(disk);
    },
  };
}
