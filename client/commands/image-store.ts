/** From any source into the library. */
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import type { TreeSummary } from "../../proto/tree/scan/tree-summary.ts";
import { type ImageRef, parseImageName, parseImageRef } from "../../proto/values/image-ref.ts";
import { roundSize } from "../../proto/values/size.ts";
import { type BuiltImage, ImageBuilder } from "../image/image-builder.ts";
import { ObjectSpool } from "../image/object-spool.ts";
import type { ImageSource } from "../image/sources/source.ts";
import { uploadImage } from "../image/upload.ts";
import { note } from "../output/print.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import { clusterOr } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { expireTimeOf, type StoreOptions } from "./store-options.ts";

/** The library an image goes into, and its name there. */
export interface ImageHome {
  /** Empty for the library that all clusters share. */
  readonly cluster: string;
  readonly name: ImageRef;
}

/** Where `text` names an image to be made; connects, so that a server that is not there is found out before the long work. */
export async function imageHome(call: Call, text: string): Promise<ImageHome> {
  const { name, shared } = parseImageName(text);
  const hps = await call.connect();
  return { cluster: shared ? "" : clusterOr(hps.cluster), name };
}

/** Reads a source, says what it holds, sends what hpsd lacks of it; `label` is what it is called while that goes on. */
export async function storeImage(call: Call, home: ImageHome, source: ImageSource, label: string): Promise<Image> {
  using spool = new ObjectSpool(call.terminal.environment, source.roomBytes);
  const image = await read(call, source, spool, label);
  await sayWhatItHolds(call, image);
  return await sendImage(call, home, image, label);
}

async function read(call: Call, source: ImageSource, spool: ObjectSpool, label: string): Promise<BuiltImage> {
  const builder = new ImageBuilder(spool, source.builder);
  using bar = new ProgressBar(call.terminal, `reading ${label}`, source.sizeBytes);
  await source.read(builder, { signal: call.terminal.signal, onBytes: (count) => bar.add(count) });
  return builder.build();
}

/** Sends what hpsd lacks of an image. */
export async function sendImage(call: Call, home: ImageHome, image: BuiltImage, label: string): Promise<Image> {
  const hps = await call.connect();
  const { move = false, expires, deltaBase: base = "" } = call.options<StoreOptions>();
  const deltaBase = base === "" ? "" : parseImageRef(base);
  const expireTime = expireTimeOf(call, expires);
  let bar: ProgressBar | undefined;
  try {
    return await uploadImage(
      (requests, options) => hps.images.uploadImage(requests, options),
      image,
      { ...home, move, deltaBase, ...(expireTime && { expireTime }) },
      {
        ...call.stream,
        onWanted: ({ newBytes, againBytes }) => {
          void note(call.terminal, wantedText(image.contentBytes, newBytes));
          bar = new ProgressBar(call.terminal, `sending ${label}`, newBytes + againBytes);
        },
        onBytes: (count) => bar?.add(count),
      },
    );
  } finally {
    bar?.[Symbol.dispose]();
  }
}

function wantedText(contentBytes: number, newBytes: number): string {
  return `${roundSize(newBytes)} of ${roundSize(contentBytes)} are new to the library`;
}

export async function sayWhatItHolds(call: Call, { lacks, system, kernel }: TreeSummary): Promise<void> {
  const holds = [system || "no known system", kernel === "" ? "" : `kernel ${kernel}`].filter((part) => part !== "");
  await note(call.terminal, `it holds ${holds.join(", ")}`);
  if (lacks.length > 0)
    await note(call.terminal, `warning: it has no ${lacks.join(", no ")}: it is kept, but cannot be installed`);
}
