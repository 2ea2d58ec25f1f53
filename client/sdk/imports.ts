import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Image, ImportImageSchema, ImportInstallerSchema, Installer } from "../../proto/gen/hps/v1/image_pb.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import type { Services } from "./services.ts";

/** What is sent to hpsd in one long stream. Each rejects with hpsd's error, also in the middle; then nothing is kept there. */
export interface Imports {
  /** `data` is the archive as `image.source` describes it. The image that is there already is answered at once. */
  readonly importImage: (
    image: MessageInitShape<typeof ImportImageSchema>,
    data: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ) => Promise<Image>;
  /** `data` are the files one after the other, in the order of `installer.files`. */
  readonly importInstaller: (
    installer: MessageInitShape<typeof ImportInstallerSchema>,
    data: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ) => Promise<Installer>;
}

/** The largest archives over the slowest lines; hpsd lets go of who sends nothing long before. */
const LIMIT_MS = 12 * 3_600_000;
/** A message is bulk data and its header, well below the limit of a message. */
const CHUNK = 256 * 1024;

export function imports({ images, installers }: Services): Imports {
  return {
    importImage: (value, data, options) =>
      images.importImage(stream({ case: "image" as const, value }, data), { timeoutMs: LIMIT_MS, ...options }),
    importInstaller: (value, data, options) =>
      installers.importInstaller(stream({ case: "installer" as const, value }, data), {
        timeoutMs: LIMIT_MS,
        ...options,
      }),
  };
}

async function* stream<First>(first: First, data: AsyncIterable<Uint8Array>) {
  yield { message: first };
  for await (const piece of data) {
    for (let at = 0; at < piece.length; at += CHUNK) {
      yield { message: { case: "data" as const, value: piece.subarray(at, at + CHUNK) } };
    }
  }
}
