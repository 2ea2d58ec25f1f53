import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { TarReader } from "../../proto/tree/tar/reader.ts";
import { buildOsImage } from "../build/os-image.ts";
import type { OsImageOrder } from "../build/os-image-order.ts";
import { ImageBuilder } from "../image/image-builder.ts";
import { ObjectSpool } from "../image/object-spool.ts";
import { onBuildScreen } from "./build-on-screen.ts";
import type { Call } from "./call.ts";
import { type ImageHome, sayWhatItHolds, sendImage } from "./image-store.ts";

/** Builds an image straight into the library: its content is hashed while the build writes it, and no archive is made. */
export async function storeBuilt(call: Call, home: ImageHome, order: OsImageOrder, label: string): Promise<Image> {
  const { environment, signal, now } = call.terminal;
  using spool = new ObjectSpool(environment, 0);
  const builder = new ImageBuilder(spool);
  const reader = new TarReader(builder);
  const take = async (archive: AsyncIterable<Uint8Array>) => {
    for await (const piece of archive) reader.push(piece);
  };
  await onBuildScreen(call, (onLine) => buildOsImage({ order, environment, signal, now, onLine, take }));
  // After the build has said that it went well: one that fails cuts its archive off, and has more to say about it.
  reader.end();
  const image = builder.build();
  await sayWhatItHolds(call, image);
  return await sendImage(call, home, image, label);
}
