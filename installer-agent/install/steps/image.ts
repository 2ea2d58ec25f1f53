import { statfs } from "node:fs/promises";
import { decompressed } from "../../../proto/tree/compression/decompress.ts";
import { unpackTar } from "../../../proto/tree/unpack/unpack.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { roundSize } from "../../../proto/values/size.ts";
import { formatFstab, fstabEntries } from "../../plan/fstab.ts";
import { findInstallation } from "../../system/installation-disk.ts";
import { makeExt4 } from "../../system/make-file-system.ts";
import { TargetRoot } from "../../system/target-root.ts";
import { runTool } from "../../system/tool.ts";
import { xzContent } from "../../system/xz.ts";
import type { ImageOrder } from "../install-order.ts";
import type { Step, StepContext } from "../step.ts";

const SYNC_MS = 15 * 60_000;
const PROGRESS_MS = 250;

/** Fills slot a with the image, each time from empty file systems: what an earlier attempt left is nothing to build on. */
export const image: Step = {
  name: "image",
  installs: true,
  run: async (context) => {
    const { job, signal, log } = context;
    const { order } = await job.configuration(signal);
    if (order === undefined) throw new HpsError("precondition", "nothing is to be installed on this machine");
    const { installation } = order;
    await job.tools.open(context);
    await job.target.close(context);
    const { partitions } = await findInstallation(installation);
    for (const role of ["root-a", "boot-a"] as const) {
      await makeExt4(role, { node: partitions[role], installation }, { signal, log });
    }
    const { root } = await job.target.openSlot(context);
    await checkSpace(root, order.image);
    await unpackImage(root, order.image, context);
    await job.target.open(context); // an image that is in the way of a mount is refused here
    await new TargetRoot(root).write("etc/fstab", formatFstab(fstabEntries(installation)));
    await runTool(["sync"], { signal, log, limitMs: SYNC_MS });
  },
};

/** Nothing bootable is there before the whole of it is checked: that is for a later step, which only a success of this one lets begin. */
async function unpackImage(root: string, order: ImageOrder, context: StepContext): Promise<void> {
  const { job, signal, log } = context;
  const { name, file } = order;
  const source = counted(job.files.read(file, { what: `the image ${name}`, signal, log }), file.sizeBytes, context);
  const content = decompressed(source, { xz: xzContent });
  const began = performance.now();
  const { bytes, entries } = await unpackTar(content, root, { devices: "create", signal }).catch((error: unknown) => {
    throw ofImage(error, name);
  });
  const seconds = (performance.now() - began) / 1000;
  log(
    `${name}: ${entries} entries, ${roundSize(bytes)} of content, ${roundSize(file.sizeBytes)} fetched, in ${seconds.toFixed(1)} s`,
  );
}

/** What is wrong inside an archive does not say of itself which archive it is. */
function ofImage(error: unknown, name: string): unknown {
  if (!(error instanceof HpsError) || error.message.includes(name)) return error;
  return new HpsError(error.code, `the image ${name}: ${error.message}`, { hint: error.hint, cause: error });
}

async function* counted(
  source: AsyncIterable<Buffer>,
  total: number,
  { progress }: StepContext,
): AsyncGenerator<Buffer> {
  let done = 0;
  let told = -PROGRESS_MS;
  for await (const chunk of source) {
    done += chunk.length;
    if (done === total || performance.now() - told >= PROGRESS_MS) {
      told = performance.now();
      progress(done, total, "bytes");
    }
    yield chunk;
  }
}

async function checkSpace(root: string, { name, contentBytes, entries }: ImageOrder): Promise<void> {
  const { bavail, bsize, ffree } = await statfs(root);
  if (bavail * bsize >= contentBytes && ffree >= entries) return;
  const has = `${roundSize(bavail * bsize)} and ${ffree} files`;
  throw new HpsError(
    "precondition",
    `the image ${name} does not fit: ${roundSize(contentBytes)} and ${entries} files, there is room for ${has}`,
    {
      hint: "cancel, and install with a larger --root-size",
    },
  );
}
