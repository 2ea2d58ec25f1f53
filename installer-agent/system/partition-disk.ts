import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { rereadPartitions } from "../../proto/tree/native/files.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Disk } from "../plan/disk-choice.ts";
import { emptyGptHeader } from "../plan/gpt.ts";
import { type Layout, partitionName, sfdiskScript } from "../plan/layout.ts";
import { type DevicePlace, deviceOf, isPartition, nodeOf } from "./installation-disk.ts";
import { partitionsOf, type ToolRun } from "./probe-disk.ts";
import { runTool } from "./tool.ts";

const MIB = 1024 ** 2;
const WIPE_MS = 2 * 60_000;
const TABLE_MS = 2 * 60_000;
const NODES_MS = 30_000;
const LOOK_MS = 100;

interface Partitioning extends ToolRun {
  /** The kernel's names of partitions whose content stays: the layout has partitions that lie exactly there. */
  readonly kept: readonly string[];
}

/**
 * Makes the disk this layout's and nothing else's, but for what is to be kept. From the first write on, whenever the power
 * is cut, its GPT header says whose it is, so that the next attempt needs no permission to go on.
 */
export async function partitionDisk(disk: Disk, layout: Layout, place: DevicePlace, run: Partitioning): Promise<void> {
  const { kept } = run;
  const { node, sizeBytes, sectorBytes } = deviceOf(disk, place);
  const header = emptyGptHeader(layout.diskId, { sectorBytes, sectors: Math.floor(sizeBytes / sectorBytes) });
  const old = await partitionsOf(disk.name, place.sys);
  await writeSynced(node, [{ at: sectorBytes, bytes: header }]);
  for (const name of old) if (!kept.includes(name)) await wipeSignatures(nodeOf(name, place.dev), run);
  await writeSynced(node, [
    { at: 0, bytes: Buffer.alloc(sectorBytes) },
    { at: 2 * sectorBytes, bytes: Buffer.alloc(MIB - 2 * sectorBytes) },
    { at: sizeBytes - MIB, bytes: Buffer.alloc(MIB) },
  ]);
  // All but a GPT: the header says whose the disk is, also in the middle of this.
  await wipeSignatures(node, run, ["--types", "nogpt"]);
  const script = sfdiskScript(layout);
  for (const line of script.split("\n")) if (line !== "") run.log(line);
  // Told to wipe the disk itself, it would first take the header away that says whose the disk is.
  // Where something is kept every new partition lies where an old one did, which was wiped above or is to stay.
  const within = kept.length === 0 ? "always" : "never";
  const argv = ["sfdisk", "--wipe", "never", "--wipe-partitions", within, node];
  await runTool(argv, { ...run, limitMs: TABLE_MS, input: script });
  await nodesOf(disk, layout, place, run);
}

/** What libblkid recognizes anywhere on the device: also what lies far inside or at the end. */
async function wipeSignatures(node: string, run: ToolRun, which: readonly string[] = []): Promise<void> {
  await runTool(["wipefs", "--all", "--force", ...which, node], { ...run, limitMs: WIPE_MS });
}

interface Write {
  readonly at: number;
  readonly bytes: Buffer;
}

async function writeSynced(node: string, writes: readonly Write[]): Promise<void> {
  await using file = await open(node, constants.O_WRONLY);
  for (const { at, bytes } of writes) {
    let written = 0;
    while (written < bytes.length) {
      written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
    }
  }
  await file.sync();
}

async function reread(node: string): Promise<void> {
  await using file = await open(node, constants.O_RDONLY);
  rereadPartitions(file.fd);
}

/** Waits until the kernel has exactly these partitions. */
async function nodesOf(disk: Disk, layout: Layout, place: DevicePlace, run: ToolRun): Promise<void> {
  const { sectorBytes, partitions } = layout;
  const missing = async () => {
    const there = partitions.map(({ start, sectors }, index) => {
      const span = { start: start * sectorBytes, bytes: sectors * sectorBytes };
      return isPartition(partitionName(disk.name, index + 1), span, place);
    });
    return (await Promise.all(there)).includes(false);
  };
  if (!(await missing())) return;
  const { node } = deviceOf(disk, place);
  await reread(node);
  const end = performance.now() + NODES_MS;
  while (await missing()) {
    run.signal.throwIfAborted();
    if (performance.now() > end) {
      throw new HpsError(
        "deadline",
        `the kernel does not show the new partitions of ${node} after ${NODES_MS / 1000} s`,
        {
          hint: "something keeps the old ones: power-cycle the machine, then retry",
        },
      );
    }
    await sleep(LOOK_MS);
  }
}
