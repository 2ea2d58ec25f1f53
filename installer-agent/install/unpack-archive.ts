import { statfs } from "node:fs/promises";
import { decompressed } from "../../proto/tree/compression/decompress.ts";
import { unpackTar } from "../../proto/tree/unpack/unpack.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { xzContent } from "../system/xz.ts";
import type { ArchiveOrder } from "./install-order.ts";
import type { StepContext } from "./step.ts";

const PROGRESS_MS = 250;

/** Fills an empty folder with an image that is one archive. Nothing bootable is there before the whole of it is checked: that is for a later step, which only a success of this one lets begin. */
export async function unpackArchive(root: string, order: ArchiveOrder, context: StepContext): Promise<void> {
  const { job, signal, log } = context;
  const { name, file } = order;
  await checkSpace(root, order);
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

/** What is wrong inside an image does not say of itself which image it is. */
export function ofImage(error: unknown, name: string): unknown {
  if (!(error instanceof HpsError) || error.message.includes(name)) return error;
  return new HpsError(error.code, `the image ${name}: ${error.message}`, { hint: error.hint, cause: error });
}

async function* counted(
  source: AsyncIterable<Buffer>,
  total: number,
  { progress }: StepContext,
): AsyncGenerator<Buffer> {
  const tell = seldom(progress);
  let done = 0;
  for await (const chunk of source) {
    done += chunk.length;
    tell(done, total);
    yield chunk;
  }
}

/** Tells of bytes a few times a second, and of the last. */
export function seldom(progress: StepContext["progress"]): (done: number, total: number) => void {
  let told = -PROGRESS_MS;
  return (done, total) => {
    if (done !== total && performance.now() - told < PROGRESS_MS) return;
    told = performance.now();
    progress(done, total, "bytes");
  };
}

async function checkSpace(root: string, { name, contentBytes, entries }: ArchiveOrder): Promise<void> {
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
