import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { PartitionRole } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { findInstallation, type InstallationDisk, MACHINE } from "../system/installation-disk.ts";
import { type Mount, readMounts } from "../system/mounts.ts";
import { readSysfsText } from "../system/sysfs.ts";
import { TargetRoot } from "../system/target-root.ts";
import { runTool } from "../system/tool.ts";
import { closeOldSystem } from "./old-system.ts";
import type { StepContext } from "./step.ts";
import { refuseUnlessFromMemory } from "./tools.ts";

/** The file systems of the system that is being installed, mounted. */
export interface OpenTarget {
  /** Where its root is: `/target`. */
  readonly root: string;
  readonly installation: Uuid;
  readonly disk: InstallationDisk["disk"];
  /** Device nodes. */
  readonly partitions: InstallationDisk["partitions"];
}

export interface Target {
  /** Finds this installation's partitions by their UUIDs and mounts what is not mounted: also after a restart, checked where the power was cut. */
  open(context: StepContext): Promise<OpenTarget>;
  /** The same without ESP and state, which nothing in an image may reach. */
  openSlot(context: StepContext): Promise<OpenTarget>;
  /** Everything written, nothing mounted. */
  close(context: StepContext): Promise<void>;
}

const ROOT = "/target";
const MOUNT_MS = 60_000;
/** Of a file system after a power cut: the journal is short, but a disk may be slow. */
const CHECK_MS = 10 * 60_000;
const SYNC_MS = 10 * 60_000;

interface Place {
  readonly role: PartitionRole;
  readonly path: string;
  readonly type: "ext4" | "vfat";
  readonly options: string;
}

const SLOT: readonly Place[] = [
  { role: "root-a", path: "", type: "ext4", options: "rw" },
  { role: "boot-a", path: "boot", type: "ext4", options: "rw" },
];
const SHARED: readonly Place[] = [
  { role: "esp", path: "boot/efi", type: "vfat", options: "rw,umask=0077" },
  { role: "state", path: "var/lib/hps", type: "ext4", options: "rw,nodev,nosuid" },
];

/** The target of this machine. */
export const machineTarget: Target = {
  open: (context) => openPlaces(context, [...SLOT, ...SHARED]),
  openSlot: (context) => openPlaces(context, SLOT),
  close: closePlaces,
};

async function openPlaces(context: StepContext, places: readonly Place[]): Promise<OpenTarget> {
  const { job, signal } = context;
  const { order } = await job.configuration(signal);
  if (order === undefined) throw new HpsError("precondition", "nothing is to be installed on this machine");
  await job.tools.open(context);
  refuseUnlessFromMemory(await readMounts());
  const { disk, partitions } = await findInstallation(order.installation);
  for (const place of places) await mountAt(place, partitions[place.role], context);
  return { root: ROOT, installation: order.installation, disk, partitions };
}

async function mountAt({ path, type, options }: Place, node: string, context: StepContext): Promise<void> {
  const { signal, log } = context;
  const place = join(ROOT, path);
  const there = (await readMounts()).findLast((mount) => mount.place === place);
  if (there !== undefined) {
    if (await isOn(there, node)) return;
    throw new HpsError("precondition", `something else is mounted at ${place}`, {
      hint: `umount ${place}, then retry`,
    });
  }
  // Each part of the way is made or found to be a folder: an image's link could lead anywhere.
  if (path === "") await mkdir(ROOT, { recursive: true });
  else await new TargetRoot(ROOT).folder(path);
  const check = type === "ext4" ? ["e2fsck", "-p"] : ["fsck.vfat", "-a"];
  await runTool([...check, node], { signal, log, limitMs: CHECK_MS, accept: [0, 1] });
  await runTool(["mount", "-t", type, "-o", options, node, place], { signal, log, limitMs: MOUNT_MS });
}

async function isOn(mount: Mount, node: string): Promise<boolean> {
  return (
    mount.device ===
    (await readSysfsText(join(MACHINE.sys, "class/block", node.slice("/dev/".length).replaceAll("/", "!"), "dev")))
  );
}

async function closePlaces(context: StepContext): Promise<void> {
  const { signal, log } = context;
  await closeOldSystem(context);
  await runTool(["sync"], { signal, log, limitMs: SYNC_MS });
  const inside = (await readMounts()).filter(({ place }) => place === ROOT || place.startsWith(`${ROOT}/`));
  for (const { place } of inside.toReversed()) {
    await runTool(["umount", place], { signal, log, limitMs: SYNC_MS }).catch((cause: unknown) => {
      throw new HpsError("precondition", `${place} cannot be unmounted: something uses it`, {
        hint: "leave it in every shell of this machine, then hpsctl installation retry HOST",
        cause,
      });
    });
  }
}
