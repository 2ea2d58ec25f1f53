import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { HpsError } from "../../values/hps-error.ts";
import type { ByteSource } from "./byte-source.ts";

const PIECE = 512 * 1024;

/** The content of gzip files one after the other; a damaged or cut one is `invalid`. */
export async function* gzipContent(source: ByteSource): AsyncGenerator<Buffer> {
  const packed = Readable.from(source, { objectMode: false });
  const decoder = createGunzip({ chunkSize: PIECE });
  packed.on("error", (error) => decoder.destroy(error));
  packed.pipe(decoder);
  try {
    for await (const piece of decoder) yield piece;
  } catch (error) {
    if (!isDecoderError(error)) throw error;
    throw new HpsError("invalid", "the archive is no whole gzip file", {
      hint: "gzip --test FILE says more; get it anew",
      cause: error,
    });
  } finally {
    packed.destroy();
    decoder.destroy();
  }
}

/** What zlib itself says; the source's own errors pass as they are. */
function isDecoderError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");
}
