/** Files of this machine as sources of images: read in pieces, unpacked from whatever they are compressed with. */
import { closeSync, fstatSync, openSync, read } from "node:fs";
import { promisify } from "node:util";
import type { Environment } from "../../../proto/config/overrides.ts";
import { type ByteSource, SourceReader } from "../../../proto/tree/compression/byte-source.ts";
import { type Compression, decompressed } from "../../../proto/tree/compression/decompress.ts";
import { gzipContent } from "../../../proto/tree/compression/gzip.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { unxz } from "../../build/unxz.ts";
import { openNameless, temporaryFolder, writeNameless } from "../nameless-file.ts";

const PIECE = 1 << 20;

/** Opens a file for `readAt`. */
export function openSource(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new HpsError("not-found", `cannot read ${path}`, { hint: "is it there, and may you see it?", cause });
  }
}

/** `size` bytes of an open file from `at` on; fails when it is shorter. */
export async function* readAt(fd: number, at: number, size: number): AsyncGenerator<Buffer, void> {
  for (let done = 0; done < size; ) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, size - done));
    const { bytesRead } = await readFrom(fd, buffer, 0, buffer.length, at + done);
    if (bytesRead === 0) throw new HpsError("aborted", "a file became shorter while it was read");
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

const readFrom = promisify(read);

/** What an archive holds, whichever way it is compressed; `onPlain` is called when it is not. */
export async function* unpacked(source: ByteSource, onPlain?: () => void): AsyncGenerator<Uint8Array> {
  const reader = new SourceReader(source);
  try {
    const isGzip = (await reader.peek(GZIP.length)).equals(GZIP);
    const onCompression = (found: Compression) => found === "none" && onPlain?.();
    if (isGzip) yield* gzipContent(reader.remaining());
    else yield* decompressed(reader.remaining(), { xz: unxz, onCompression });
  } finally {
    await reader.close();
  }
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** The archive at `path` as a file that any part can be read of: itself, or, compressed, its content in a file without a name. */
export async function openPlainArchive(path: string, environment: Environment, signal: AbortSignal): Promise<number> {
  const file = openSource(path);
  const { size } = fstatSync(file);
  const folder = temporaryFolder(environment);
  let plain: number | undefined;
  let at = 0;
  let isPlain = false;
  try {
    for await (const bytes of unpacked(readAt(file, 0, size), () => (isPlain = true))) {
      if (isPlain) return file;
      signal.throwIfAborted();
      plain ??= openNameless(folder, size);
      writeNameless(plain, folder, { bytes, at });
      at += bytes.length;
    }
    closeSync(file);
    return plain ?? openNameless(folder, 0);
  } catch (error) {
    closeSync(file);
    if (plain !== undefined) closeSync(plain);
    throw error;
  }
}
