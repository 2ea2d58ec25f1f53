import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { type Unpacked, type UnpackImage, unpackImage } from "../image/unpack-image.ts";
import type { PacksOrder } from "./install-order.ts";
import type { StepContext } from "./step.ts";
import { ofImage, seldom } from "./unpack-archive.ts";

/** How often hpsd is asked where the parts of an image are, after it said where they were not: it may have put them into other packs. */
const ASKS_AGAIN = 2;

/** What an image is unpacked into, and older systems that it may be made of. */
type Places = Pick<UnpackImage, "root" | "olds">;

/** Makes a folder the tree of an image, whatever part of it is there already. */
export async function unpackPacks(places: Places, order: PacksOrder, context: StepContext): Promise<void> {
  const began = performance.now();
  let current = order;
  for (let asked = 0; ; asked += 1) {
    try {
      const done = await unpackOnce(places, current, context);
      context.log(`${order.name}: ${sentence(done)}, in ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return;
    } catch (error) {
      const isGone = error instanceof HpsError && error.code === "not-found";
      if (!isGone || asked === ASKS_AGAIN) throw ofImage(error, order.name);
      context.log(`${error.message}; asking hpsd where the image is now`);
      current = await askAgain(current, context);
    }
  }
}

async function unpackOnce(places: Places, { name, files }: PacksOrder, context: StepContext): Promise<Unpacked> {
  const { job, signal, log } = context;
  const spans = job.files.open(files.baseUrls);
  const read = { what: `the image ${name}`, signal, log };
  try {
    return await unpackImage({ ...read, files, spans, ...places, progress: seldom(context.progress) });
  } finally {
    spans.close();
  }
}

/** The name may have moved meanwhile: what is being installed is the image that its digest names. */
async function askAgain({ name, files }: PacksOrder, { job, signal }: StepContext): Promise<PacksOrder> {
  job.forgetConfiguration();
  const { order } = await job.configuration(signal);
  const image = order?.image;
  if (image?.format === "packs" && image.files.manifest.digest === files.manifest.digest) return image;
  throw new HpsError("precondition", `hpsd does not name the image ${name} for this host any more`, {
    hint: "hpsctl installation cancel HOST, then install the image that is wanted now",
  });
}

function sentence({ entries, content, kept, reused, made, fetched }: Unpacked): string {
  const parts = [
    `${entries} entries, ${roundSize(content)} of content`,
    `${roundSize(fetched)} fetched`,
    ...(kept > 0 ? [`${roundSize(kept)} was there already`] : []),
    ...(reused > 0 ? [`${roundSize(reused)} copied from the older system`] : []),
    ...(made > 0 ? [`${roundSize(made)} made of it by a delta`] : []),
  ];
  return parts.join(", ");
}
