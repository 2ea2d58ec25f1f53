import { basename, join } from "node:path";
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { openArchive } from "../build/archive-file.ts";
import { cacheFolder } from "../build/package-cache.ts";
import { openImageSource } from "../image/sources/open-source.ts";
import type { SourceKind } from "../image/sources/source-kind.ts";
import { IMAGE_VIEW } from "../output/image-view.ts";
import { note, printOne } from "../output/print.ts";
import type { Call } from "./call.ts";
import { sendArchive } from "./image-archive.ts";
import { type ImageHome, imageHome, storeImage } from "./image-store.ts";
import { interruptible } from "./interruptible.ts";
import type { StoreOptions } from "./store-options.ts";

interface ImportOptions extends StoreOptions {
  readonly from?: SourceKind;
  readonly platform: string;
  readonly ociName?: string;
  readonly archive?: true;
  readonly installer?: string;
  readonly partition?: number;
}

/** `image import`. */
export async function importImage(call: Call): Promise<number> {
  const options = call.options<ImportOptions>();
  const home = await imageHome(call, call.operand(0));
  const path = call.operand(1);
  const work = options.archive ? () => importArchive(call, home, path) : () => importTree(call, home, path, options);
  await printOne(call, IMAGE_VIEW, await interruptible(call, "nothing was imported", work));
  return 0;
}

async function importTree(call: Call, home: ImageHome, path: string, options: ImportOptions): Promise<Image> {
  const { from, platform, ociName, installer, partition } = options;
  const { environment, signal } = call.terminal;
  const choice = { platform, ...(ociName !== undefined && { name: ociName }) };
  const disk = { ...(installer !== undefined && { installer }), ...(partition !== undefined && { partition }) };
  const say = (line: string) => void note(call.terminal, line);
  const order = { path, choice, disk, environment, signal, say, ...(from && { kind: from }) };
  await using source = await openImageSource(order);
  return await storeImage(call, home, source, basename(path));
}

async function importArchive(call: Call, home: ImageHome, path: string): Promise<Image> {
  const { from, move, expires } = call.options<ImportOptions>();
  if (from === "oci" || from === "disk" || move || expires !== undefined) {
    throw new HpsError("invalid", "--archive is for archives and folders, without --move and --expires");
  }
  const { environment, signal } = call.terminal;
  await using archive = await openArchive(path, join(cacheFolder(environment), "import"), signal);
  return await sendArchive(call, home, archive, basename(path));
}
