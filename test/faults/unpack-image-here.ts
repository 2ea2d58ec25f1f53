/**
 * `unpack-image-here LIBRARY ROOT [OLD…]`: unpacks the image of a folder of files by their digests, and says in one line of JSON
 * what became of it. A process of its own, to be killed, measured, or run in a namespace of its own.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import { unpackImage } from "../../installer-agent/image/unpack-image.ts";
import type { SpanFiles } from "../../installer-agent/link/files.ts";
import { latin1 } from "../../proto/tree/byte-string.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

const CHUNK = 64 * 1024;

const [library = "", root = "", ...olds] = process.argv.slice(2);
const files: ImageFiles = JSON.parse(readFileSync(join(library, "files.json"), "utf8"));
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

try {
  const done = await unpackImage({
    ...{ files, spans, root, what: "the image", signal: AbortSignal.timeout(30 * 60_000) },
    olds: olds.map((folder) => ({ folder, prefix: latin1("") })),
    log: () => undefined,
    progress: () => undefined,
  });
  const memory = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ ...done, memory }));
} catch (error) {
  if (!(error instanceof HpsError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
