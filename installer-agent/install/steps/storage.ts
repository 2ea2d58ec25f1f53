import { HpsError } from "../../../proto/values/hps-error.ts";
import { refuseUnstartable } from "../../plan/bios-boot.ts";
import { chooseDisk, type Disk, diskText } from "../../plan/disk-choice.ts";
import { type Layout, planLayout } from "../../plan/layout.ts";
import { keptAsB } from "../../plan/old-slots.ts";
import { checkMayWrite } from "../../plan/wipe-permission.ts";
import { lockDisk } from "../../system/disk-lock.ts";
import { readDisks } from "../../system/disks.ts";
import { deviceOf, findInstallation, MACHINE, refuseCopies } from "../../system/installation-disk.ts";
import { makeEsp, makeExt4 } from "../../system/make-file-system.ts";
import { partitionDisk } from "../../system/partition-disk.ts";
import { probeDisk, type ToolRun } from "../../system/probe-disk.ts";
import { checkImageTrust } from "../image-trust.ts";
import type { InstallOrder } from "../install-order.ts";
import { keepKeys, onState, readDiskKeys } from "../kept-keys.ts";
import { findOldSlot, type KeptSlot } from "../old-slot.ts";
import type { Step, StepContext } from "../step.ts";

/** Chooses the disk, refuses what must not be done to it, and only then lays it out; what was there of this installation is made anew. */
export const storage: Step = {
  name: "storage",
  installs: true,
  run: async (context) => {
    const { job, signal, log } = context;
    const { order, cluster, hostName } = await job.configuration(signal);
    if (order === undefined) throw new HpsError("precondition", "nothing is to be installed on this machine");
    refuseUnbootable(order);
    await job.tools.open(context);
    await job.target.close(context); // of an earlier attempt
    const disk = chooseDisk(await readDisks(MACHINE.sys), order.storage.disk);
    log(`disk ${diskText(disk)}`);
    refuseUnstartable(job.facts.firmware, disk);
    const { node, sizeBytes, sectorBytes } = deviceOf(disk, MACHINE);
    const { contentBytes, entries } = order.image;
    const sizes = { diskBytes: sizeBytes, sectorBytes, rootBytes: order.storage.rootBytes };
    const layout = planLayout({ installation: order.installation, ...sizes, contentBytes, entries });
    await using _lock = await lockDisk(node);
    const trust = checkImageTrust(order, cluster, await readDiskKeys(disk, MACHINE, { signal, log }));
    const contents = await probeDisk(disk, order.installation, MACHINE, { signal, log });
    for (const finding of contents.findings) log(`found on ${disk.name}: ${finding}`);
    await refuseCopies(order.installation, disk);
    checkMayWrite(disk, contents, { order: order.storage, host: `${cluster}/${hostName}` });
    const kept = await keptSlot(order, disk, layout, { signal, log });
    const names = kept?.names ?? [];
    const final = kept === undefined ? layout : keptAsB(layout, kept.partitions);
    await partitionDisk(disk, final, MACHINE, { signal, log, kept: names });
    const { state } = await makeShared(order, context);
    await onState(state, "rw", { signal, log }, (root) => keepKeys(root, trust?.set));
  },
};

function refuseUnbootable({ image }: InstallOrder): void {
  if (image.lacks.length === 0) return;
  throw new HpsError("precondition", `the image ${image.name} cannot be booted: it lacks ${image.lacks.join(", ")}`, {
    hint: "install an image with a kernel, an initrd and an init",
  });
}

/** Only an image of packs can make use of an older system; an archive is fetched whole. */
async function keptSlot(
  { installation, image }: InstallOrder,
  disk: Disk,
  layout: Layout,
  run: ToolRun,
): Promise<KeptSlot | undefined> {
  if (image.format !== "packs") return undefined;
  const kept = await findOldSlot(disk, { installation, layout }, MACHINE, run);
  if (kept !== undefined)
    run.log(`the older system on ${kept.names.join(" and ")} stays, to be read, until the new one is made`);
  return kept;
}

/** The file systems that are in no slot; those of the slot are made by the step that fills them. */
async function makeShared(order: InstallOrder, { signal, log }: StepContext): Promise<{ readonly state: string }> {
  const { installation } = order;
  const { disk, partitions } = await findInstallation(installation);
  const { sectorBytes } = deviceOf(disk, MACHINE);
  await makeEsp({ node: partitions.esp, installation, sectorBytes }, { signal, log });
  await makeExt4("state", { node: partitions.state, installation }, { signal, log });
  return partitions;
}
