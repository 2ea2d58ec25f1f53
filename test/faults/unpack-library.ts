/** An image that lies in a folder, by the digests of its files, as `writeLibrary` puts it there. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import { type Unpacked, unpackImage } from "../../installer-agent/image/unpack-image.ts";
import type { SpanFiles } from "../../installer-agent/link/files.ts";
import { latin1 } from "../../proto/tree/byte-string.ts";

const CHUNK = 64 * 1024;

export function filesOfLibrary(library: string): ImageFiles {
  return JSON.parse(readFileSync(join(library, "files.json"), "utf8"));
}

/** Makes `root` the image. */
export async function unpackLibrary(library: string, root: string, olds: readonly string[] = []): Promise<Unpacked> {
  const spans: SpanFiles = {
    hpsd: 0,
    async *read({ digest }, { from, to }) {
      const fd = openSync(join(library, digest), "r");
      try {
        for (let at = from; at < to; at += CHUNK) {
          const bytes = Buffer.alloc(Math.min(CHUNK, to - at));
          readSync(fd, bytes, 0, bytes.length, at);
          yield { bytes, origin: 0 };
        }
      } finally {
        closeSync(fd);
      }
    },
    distrust: () => undefined,
    close: () => undefined,
  };
  const files = filesOfLibrary(library);
  return await unpackImage({
    ...{ files, spans, root, what: "the image", signal: AbortSignal.timeout(30 * 60_000) },
    olds: olds.map((folder) => ({ folder, prefix: latin1("") })),
    log: () => undefined,
    progress: () => undefined,
  });
}
