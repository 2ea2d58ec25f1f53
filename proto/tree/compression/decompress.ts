import { HpsError } from "../../values/hps-error.ts";
import { type ByteSource, SourceReader } from "./byte-source.ts";
import { zstdContent } from "./zstd.ts";

export type Compression = "none" | "zstd" | "xz";

export interface Decompressors {
  /** The content of xz files, by a program: it must read them as `xz --decompress --stdout` does, and throw when that fails. */
  readonly xz?: (source: ByteSource) => AsyncIterable<Uint8Array>;
  /** Called once, before the first byte of content, with what the archive turned out to be. */
  readonly onCompression?: (compression: Compression) => void;
}

/** What an archive is compressed with, by its first bytes. Node can unpack zstd itself; xz needs the caller's program. */
export async function* decompressed(source: ByteSource, options: Decompressors = {}): AsyncGenerator<Uint8Array> {
  const { xz, onCompression } = options;
  const reader = new SourceReader(source);
  try {
    const compression = compressionOf(await reader.peek(6));
    onCompression?.(compression);
    const rest = reader.remaining();
    if (compression === "none") yield* rest;
    else if (compression === "zstd") yield* zstdContent(rest);
    else if (xz !== undefined) yield* xz(rest);
    else throw notThis("xz");
  } finally {
    await reader.close();
  }
}

/** `none` for anything that is no known compression: a tar archive has no magic number at its beginning. */
function compressionOf(head: Uint8Array): Compression {
  const start = Buffer.from(head).toString("hex");
  if (start.startsWith("28b52ffd") || /^5.2a4d18/.test(start)) return "zstd";
  if (start.startsWith("fd377a585a00")) return "xz";
  for (const [name, magic] of FOREIGN) if (start.startsWith(magic)) throw notThis(name);
  return "none";
}

const FOREIGN = [
  ["gzip", "1f8b"],
  ["bzip2", "425a68"],
  ["lz4", "04224d18"],
  ["lzip", "4c5a4950"],
  ["zip", "504b0304"],
  ["squashfs", "68737173"],
] as const;

function notThis(name: string): HpsError {
  return new HpsError("unimplemented", `the archive is a ${name} file`, {
    hint: "compress it as .tar.zst: unpack it with its own program, then zstd -19 < ARCHIVE.tar > ARCHIVE.tar.zst",
  });
}
