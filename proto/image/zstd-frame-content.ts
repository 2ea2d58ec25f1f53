/** One zstd frame and nothing else, in memory, that says how long its content is: what all compressed parts of the format are. */
import { promisify } from "node:util";
import { constants, type ZstdOptions, zstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { parseBlockHeader, parseFrameHeader } from "../tree/compression/zstd-frame.ts";
import type { Refuse } from "./damage.ts";

/** More than what zstd makes of `raw` bytes that do not compress. */
export function mostCompressed(raw: number): number {
  return raw + Math.floor(raw / 128) + 1024;
}

/** On a thread of its own. */
export function compressed(raw: Uint8Array, level: number, further: ZstdOptions = {}): Promise<Buffer> {
  const options = optionsFor(raw, level);
  return compressing(raw, { ...options, ...further, params: { ...options.params, ...further.params } });
}

/** As `compressed`, while this thread waits. */
export function compressedSync(raw: Uint8Array, level: number): Buffer {
  return zstdCompressSync(raw, optionsFor(raw, level));
}

const compressing = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress);

function optionsFor(raw: Uint8Array, level: number): ZstdOptions {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  // Without the size given, only the waiting call writes it into the frame.
  return { params, pledgedSrcSize: raw.length, chunkSize: mostCompressed(raw.length) };
}

/** The content of the one frame that `bytes` is, exactly `length` bytes; never takes more memory than that and a window of it. */
export function frameContent(bytes: Uint8Array, length: number, refuse: Refuse, dictionary?: Uint8Array): Buffer {
  checkOutline(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), length, refuse);
  const content = decompress(bytes, length, refuse, dictionary);
  if (content.length !== length) throw refuse(`it holds ${content.length} bytes, not ${length}`);
  return content;
}

/** What the frame that `bytes` begins with says its content is long; undefined when it does not say so. */
export function contentLength(bytes: Uint8Array, refuse: Refuse): number | undefined {
  const size = outlined(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), refuse).contentSize;
  return size === undefined || size > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(size);
}

/** Node's decoder ignores what follows the first frame, so the frame's end is looked for in its outline. */
function checkOutline(bytes: Buffer, length: number, refuse: Refuse): void {
  const header = outlined(bytes, refuse);
  if (header.contentSize !== BigInt(length)) {
    throw refuse(`its zstd frame is of ${header.contentSize ?? "an unknown number of"} bytes, not ${length}`);
  }
  let at = header.size;
  for (let last = false; !last; ) {
    const block = outline(() => parseBlockHeader(bytes.subarray(at, at + 3), at), refuse);
    at += 3 + block.size;
    last = block.last;
  }
  at += header.hasChecksum ? 4 : 0;
  if (at > bytes.length) throw refuse("its zstd frame is cut");
  if (at < bytes.length) throw refuse(`${bytes.length - at} bytes follow its zstd frame`);
}

function outlined(bytes: Buffer, refuse: Refuse) {
  return outline(() => parseFrameHeader(bytes, 0), refuse);
}

function outline<Part>(parse: () => Part, refuse: Refuse): Part {
  try {
    return parse();
  } catch (error) {
    throw refuse("it is no zstd frame", error);
  }
}

function decompress(bytes: Uint8Array, length: number, refuse: Refuse, dictionary?: Uint8Array): Buffer {
  try {
    // One byte more than fits, so that the decoder need not be asked again to say that it is done.
    const chunkSize = Math.min(Math.max(length + 1, SMALLEST_CHUNK), LARGEST_CHUNK);
    const options = { maxOutputLength: length, chunkSize };
    return zstdDecompressSync(bytes, { ...options, ...(dictionary !== undefined && { dictionary }) });
  } catch (error) {
    throw refuse("its zstd frame does not decode", error);
  }
}

/** What Node takes. */
const SMALLEST_CHUNK = 64;
/** Taken before the first byte is decoded, for a length that nobody has checked yet. */
const LARGEST_CHUNK = 16 << 20;
