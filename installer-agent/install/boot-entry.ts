import { partitionId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { describeError } from "../log.ts";
import { planBootOrder } from "../plan/boot-order.ts";
import { EFI_VARIABLES, readBootVariables, writeBootOrder } from "../system/efi-variables.ts";
import type { PartitionPlace } from "../system/partition-place.ts";
import { runTool } from "../system/tool.ts";

export interface BootEntryOrder {
  readonly installation: Uuid;
  /** Of the ESP, on a disk with sectors of so many bytes. */
  readonly place: PartitionPlace;
  readonly sectorBytes: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  readonly variables?: string;
}

const MOUNT_MS = 10_000;

/**
 * Gives the firmware an entry for this disk. Where it takes none, full or locked as some are, that is said and no more:
 * the firmware then starts the disk by \EFI\BOOT\BOOTX64.EFI.
 */
export async function setBootEntry(order: BootEntryOrder): Promise<void> {
  const { installation, place, sectorBytes, log, variables: folder = EFI_VARIABLES } = order;
  try {
    const known = await openVariables(order, folder);
    const { number, startBytes, bytes } = place;
    const plan = planBootOrder(known, {
      ...{ number, start: startBytes / sectorBytes, sectors: bytes / sectorBytes },
      id: partitionId(installation, "esp"),
    });
    await writeBootOrder(plan, folder);
    log(
      plan.entry === undefined ? "the firmware has the boot entry HPS already" : "the firmware's boot entry HPS is set",
    );
    if (plan.order !== undefined) log(`its boot order is now ${plan.order.map(hex).join(", ")}`);
  } catch (error) {
    order.signal.throwIfAborted();
    log(`the firmware takes no boot entry (${reason(error)}); it has to find the disk by itself`);
  }
}

async function openVariables({ signal, log }: BootEntryOrder, folder: string) {
  const known = await readBootVariables(folder);
  if (known !== undefined) return known;
  const mount = ["mount", "-t", "efivarfs", "efivarfs", folder];
  await runTool(mount, { signal, log, limitMs: MOUNT_MS });
  return (await readBootVariables(folder)) ?? { order: [], entries: new Map<number, Buffer>() };
}

function hex(number: number): string {
  return number.toString(16).toUpperCase().padStart(4, "0");
}

function reason(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z]+$/.test(error.code)
    ? error.code
    : describeError(error);
}
