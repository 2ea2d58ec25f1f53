import { HpsError } from "../../proto/values/hps-error.ts";
import { diskId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { STATE } from "../plan/agent-unit.ts";
import type { Disk } from "../plan/disk-choice.ts";
import type { GptPartition } from "../plan/gpt.ts";
import { type Layout, partitionName } from "../plan/layout.ts";
import { type OldSlot, oldSlots, type Slot, slotToKeep } from "../plan/old-slots.ts";
import { type DevicePlace, deviceOf, isPartition, nodeOf } from "../system/installation-disk.ts";
import { isExt4 } from "../system/make-file-system.ts";
import type { ToolRun } from "../system/probe-disk.ts";
import { readGpt } from "../system/read-gpt.ts";
import { TargetRoot } from "../system/target-root.ts";
import { onState, statePartition } from "./kept-keys.ts";

/** A slot of an older system that can stay on its disk until the new one is made. */
export interface KeptSlot {
  readonly partitions: OldSlot;
  /** The kernel's names of its two partitions, as long as the old table is there. */
  readonly names: readonly string[];
}

interface Looking {
  readonly installation: Uuid;
  /** What would be made of this disk. */
  readonly layout: Layout;
}

/**
 * The slot of an older system whose files the new one may be made of: the one that ran, of a disk that HPS laid out just
 * as it is to be now. Nothing of what it says is believed but to choose which; undefined, too, whenever the disk is odd.
 */
export async function findOldSlot(
  disk: Disk,
  looking: Looking,
  place: DevicePlace,
  run: ToolRun,
): Promise<KeptSlot | undefined> {
  try {
    return await lookForSlot(disk, looking, place, run);
  } catch (error) {
    run.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    run.log(`the older system on ${disk.name} cannot be looked at, and is of no use: ${why}`);
    return undefined;
  }
}

async function lookForSlot(
  disk: Disk,
  { installation, layout }: Looking,
  place: DevicePlace,
  run: ToolRun,
): Promise<KeptSlot | undefined> {
  const gpt = await readGpt(deviceOf(disk, place));
  const slots = gpt && oldSlots(gpt, layout);
  if (gpt === undefined || slots === undefined) return undefined;
  const parts = [slots.a, slots.b].flatMap(({ boot, root }) => [boot, root]);
  for (const part of parts) if (!(await isAsTheKernelHasIt(disk, part, place))) return undefined;
  const holds = {
    a: await isExt4(nodeOf(partitionName(disk.name, slots.a.root.number), place.dev)),
    b: await isExt4(nodeOf(partitionName(disk.name, slots.b.root.number), place.dev)),
  };
  const own = gpt.diskId === diskId(installation);
  const slot = slotToKeep({ own, recorded: own ? undefined : await recordedSlot(disk, place, run), holds });
  if (slot === undefined) return undefined;
  const partitions = slots[slot];
  const names = [partitions.boot, partitions.root].map(({ number }) => partitionName(disk.name, number));
  return { partitions, names };
}

async function isAsTheKernelHasIt(
  disk: Disk,
  { number, first, last }: GptPartition,
  place: DevicePlace,
): Promise<boolean> {
  const { sectorBytes } = deviceOf(disk, place);
  const span = { start: first * sectorBytes, bytes: (last - first + 1) * sectorBytes };
  return await isPartition(partitionName(disk.name, number), span, place);
}

/** Which slot is started, as the old state partition has it. */
async function recordedSlot(disk: Disk, place: DevicePlace, run: ToolRun): Promise<Slot | undefined> {
  const node = await statePartition(disk, place);
  if (node === undefined) return undefined;
  try {
    const text = await onState(node, "ro,noload", run, async (root) => await new TargetRoot(root).text(STATE.slot));
    const slot = text?.trim();
    return slot === "a" || slot === "b" ? slot : undefined;
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HpsError)) throw error;
    return undefined; // what cannot be mounted says nothing
  }
}
