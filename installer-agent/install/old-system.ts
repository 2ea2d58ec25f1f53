import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { latin1 } from "../../proto/tree/byte-string.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { OldRoot } from "../image/old-files.ts";
import { slotImage } from "../plan/grub-config.ts";
import { findInstallation } from "../system/installation-disk.ts";
import { isExt4 } from "../system/make-file-system.ts";
import { readMounts } from "../system/mounts.ts";
import { TargetRoot } from "../system/target-root.ts";
import { runTool } from "../system/tool.ts";
import type { InstallOrder } from "./install-order.ts";
import { UNTRUSTED } from "./kept-keys.ts";
import type { StepContext } from "./step.ts";

/** Where the older system that `storage` left in slot b is mounted. */
const PLACE = "/old-system";
const PARTS = [
  { role: "boot-b", folder: `${PLACE}/boot`, prefix: "boot" },
  { role: "root-b", folder: `${PLACE}/root`, prefix: "" },
] as const;
const MOUNT_MS = 60_000;
const UNMOUNT_MS = 60_000;
const WIPE_MS = 2 * 60_000;
/** A large disk that is slow at giving back its blocks. */
const DISCARD_MS = 10 * 60_000;

/** Mounts what slot b holds of an older system, read-only; what cannot be mounted is left out, and none is most usual. */
export async function openOldSystem(order: InstallOrder, context: StepContext): Promise<readonly OldRoot[]> {
  await closeOldSystem(context);
  const { partitions } = await findInstallation(order.installation);
  const mounted: (typeof PARTS)[number][] = [];
  for (const part of PARTS) {
    const node = partitions[part.role];
    if ((await isExt4(node)) && (await mountOld(node, part.folder, context))) mounted.push(part);
  }
  if (mounted.length === 0) return [];
  const image = await imageOf(PARTS[0].folder, context);
  const what = image === undefined ? "of an image that is not known" : `of the image sha256:${image}`;
  context.log(`an older system, ${what}, is on this disk: what the new one has in common with it is not fetched`);
  return mounted.map(({ folder, prefix }) => ({
    ...{ folder, prefix: latin1(prefix) },
    ...(image !== undefined && { image }),
  }));
}

/** Unmounts it. */
export async function closeOldSystem({ log }: StepContext): Promise<void> {
  const inside = (await readMounts()).filter(({ place }) => place.startsWith(`${PLACE}/`));
  for (const { place } of inside.toReversed()) {
    const within = { signal: AbortSignal.timeout(UNMOUNT_MS), log, limitMs: UNMOUNT_MS };
    await runTool(["umount", place], within).catch((cause: unknown) => {
      throw new HpsError("precondition", `${place} cannot be unmounted: something uses it`, {
        hint: "leave it in every shell of this machine, then hpsctl installation retry HOST",
        cause,
      });
    });
  }
}

/** Makes slot b what it is after an installation of an empty disk: no file system, its blocks given back where the disk can. */
export async function dropOldSystem(order: InstallOrder, context: StepContext): Promise<void> {
  const { signal, log } = context;
  await closeOldSystem(context);
  const { partitions } = await findInstallation(order.installation);
  const nodes = PARTS.map(({ role }) => partitions[role]);
  const there = await Promise.all(nodes.map((node) => isExt4(node)));
  if (!there.includes(true)) return;
  for (const node of nodes) {
    await runTool(["blkdiscard", "--force", node], { signal, log, limitMs: DISCARD_MS }).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof HpsError)) throw error; // a disk that does not do that
    });
    await runTool(["wipefs", "--all", "--force", node], { signal, log, limitMs: WIPE_MS });
  }
  log("nothing of the older system can be mounted any more");
}

async function mountOld(node: string, folder: string, { signal, log }: StepContext): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  const argv = ["mount", "-t", "ext4", "-o", `ro,noload,${UNTRUSTED}`, node, folder];
  try {
    await runTool(argv, { signal, log, limitMs: MOUNT_MS });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HpsError)) throw error;
    return false;
  }
}

/** Which image it was made from, as it says itself: what a delta makes of it is checked like all else. */
async function imageOf(boot: string, { log }: StepContext): Promise<string | undefined> {
  try {
    return slotImage((await new TargetRoot(boot).text("slot.cfg")) ?? "");
  } catch (error) {
    log(`${join(boot, "slot.cfg")} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
