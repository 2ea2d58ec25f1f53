import { join } from "node:path";
import type { SignedKeySet } from "../../../proto/image/key-set.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { fileSystemId } from "../../../proto/values/layout-ids.ts";
import { readMarker, removeMarker, setMarker } from "../../image/marker.ts";
import { STATE_PLACE } from "../../plan/agent-unit.ts";
import { formatFstab, fstabEntries } from "../../plan/fstab.ts";
import { findInstallation } from "../../system/installation-disk.ts";
import { isExt4, makeExt4 } from "../../system/make-file-system.ts";
import { TargetRoot } from "../../system/target-root.ts";
import { runTool } from "../../system/tool.ts";
import { checkImageTrust } from "../image-trust.ts";
import type { InstallOrder } from "../install-order.ts";
import { keepKeys, onState, readKeptKeys } from "../kept-keys.ts";
import { dropOldSystem, openOldSystem } from "../old-system.ts";
import type { Step, StepContext } from "../step.ts";
import { unpackArchive } from "../unpack-archive.ts";
import { unpackPacks } from "../unpack-packs.ts";

const SYNC_MS = 15 * 60_000;

/** Fills slot a with the image. */
export const image: Step = {
  name: "image",
  installs: true,
  run: async (context) => {
    const { job, signal, log } = context;
    const { order } = await job.configuration(signal);
    if (order === undefined) throw new HpsError("precondition", "nothing is to be installed on this machine");
    await job.tools.open(context);
    await job.target.close(context);
    const keys = await trustedKeys(order, context);
    if (order.image.format === "packs") {
      const { manifest } = order.image.files;
      const root = (await begun(order, manifest.digest, context)) ?? (await emptySlot(order, context));
      setMarker(root, manifest.digest);
      await unpackPacks({ root, olds: await openOldSystem(order, context) }, order.image, context);
    } else await unpackArchive(await emptySlot(order, context), order.image, context);
    const { root } = await job.target.open(context); // an image that is in the way of a mount is refused here
    await keepKeys(join(root, STATE_PLACE), keys);
    await new TargetRoot(root).write("etc/fstab", formatFstab(fstabEntries(order.installation)));
    await runTool(["sync"], { signal, log, limitMs: SYNC_MS });
    await dropOldSystem(order, context);
    if (order.image.format === "packs") await removeMarker(root);
  },
};

/** Again, by what this installation keeps on its disk: another configuration may have come since. */
async function trustedKeys(order: InstallOrder, { job, signal, log }: StepContext): Promise<SignedKeySet | undefined> {
  const { partitions } = await findInstallation(order.installation);
  const { cluster } = await job.configuration(signal);
  const kept = await onState(partitions.state, "ro,noload", { signal, log }, readKeptKeys);
  return checkImageTrust(order, cluster, kept)?.set;
}

/** The slot as an earlier attempt at the same image left it; undefined when there was none, or its file systems cannot be mended. */
async function begun(
  { installation }: InstallOrder,
  digest: string,
  context: StepContext,
): Promise<string | undefined> {
  const { job, log, signal } = context;
  const { partitions } = await findInstallation(installation);
  for (const role of ["root-a", "boot-a"] as const) {
    if (!(await isExt4(partitions[role], fileSystemId(installation, role)))) return undefined;
  }
  try {
    const { root } = await job.target.openSlot(context);
    if (readMarker(root) === digest) {
      log("this image was begun before: what is right of it stays");
      return root;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HpsError)) throw error;
  }
  await job.target.close(context);
  return undefined;
}

/** New file systems, mounted: what an earlier attempt at something else left is nothing to build on. */
async function emptySlot({ installation }: InstallOrder, context: StepContext): Promise<string> {
  const { job, signal, log } = context;
  const { partitions } = await findInstallation(installation);
  for (const role of ["root-a", "boot-a"] as const) {
    await makeExt4(role, { node: partitions[role], installation }, { signal, log });
  }
  return (await job.target.openSlot(context)).root;
}
