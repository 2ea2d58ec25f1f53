/**
 * zstd with any number of frames: `cat a.zst b.zst`, pzstd, skippable frames. Node's decoder reads one frame and ignores
 * what follows without an error, so each frame's end is found by its outline and each gets a decoder of its own.
 */
import { pipeline, Readable, type TransformOptions } from "node:stream";
import { createZstdDecompress, type ZstdOptions } from "node:zlib";
import { HpsError } from "../../values/hps-error.ts";
import { type ByteSource, gathered, SourceReader } from "./byte-source.ts";
import {
  damagedFrame,
  type FrameHeader,
  LONGEST_FRAME_HEADER,
  parseBlockHeader,
  parseFrameHeader,
  skippableSize,
} from "./zstd-frame.ts";

/** Of decoded bytes: large enough that few turns of the event loop are spent on each, small enough to hold a few. */
const PIECE = 512 * 1024;

/** Decoded while the reader is busy with what it has: it decodes on a thread of its own. */
const AHEAD = 4 * PIECE;

const DECODING: ZstdOptions & TransformOptions = { chunkSize: PIECE, readableHighWaterMark: AHEAD };

/** Each write to the decoder is a turn of its thread: what comes by the network comes in pieces of 16 kB. */
const WRITTEN = 128 * 1024;

/**
 * The content of all frames of `source`, in order. A damaged, cut or foreign file is an `invalid` error naming the byte; a
 * frame that needs more than 128 MiB (`--long=31`) or a dictionary is `unimplemented` and says what to do. Memory is
 * bounded by the window and a few pieces; nothing is read ahead of a reader that waits.
 */
export async function* zstdContent(source: ByteSource): AsyncGenerator<Buffer> {
  const reader = new SourceReader(gathered(source, WRITTEN));
  try {
    for (;;) {
      const head = await reader.peek(LONGEST_FRAME_HEADER);
      if (head.length === 0) return;
      const skipped = skippableSize(head);
      if (skipped === undefined) yield* frameContent(reader, parseFrameHeader(head, reader.position));
      else await skip(reader, 8 + skipped);
    }
  } finally {
    await reader.close();
  }
}

async function skip(reader: SourceReader, size: number): Promise<void> {
  for await (const _ of exactly(reader, size));
}

async function* frameContent(reader: SourceReader, header: FrameHeader): AsyncGenerator<Buffer> {
  const at = reader.position;
  const decoder = createZstdDecompress(DECODING);
  const frame = Readable.from(frameBytes(reader, header), { objectMode: false });
  // Its failure is the decoder's, which the loop below throws.
  pipeline(frame, decoder, () => undefined);
  let size = 0n;
  try {
    for await (const piece of decoder) {
      size += BigInt(piece.length);
      yield piece;
    }
  } catch (error) {
    if (!isDecoderError(error)) throw error;
    throw new HpsError("invalid", `the zstd file is damaged in the frame at byte ${at}`, {
      hint: "make or fetch the file anew, and compare its SHA-256 with its maker's",
      cause: error,
    });
  } finally {
    decoder.destroy();
  }
  if (header.contentSize !== undefined && header.contentSize !== size) {
    throw damagedFrame(at, `the frame holds ${size} bytes, not the ${header.contentSize} it promised`);
  }
}

/** What zlib itself says; the source's own errors pass as they are. */
function isDecoderError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^(ZSTD|Z)_/.test(error.code);
}

/** One whole frame and nothing more. */
async function* frameBytes(reader: SourceReader, header: FrameHeader): AsyncGenerator<Buffer> {
  let known = header.size;
  for (let last = false; !last; ) {
    // All blocks that begin in what is here already go on together: they are small.
    if (reader.buffered.length < known + 3) {
      yield* exactly(reader, known);
      known = 0;
      await reader.peek(3);
    }
    const block = parseBlockHeader(reader.buffered.subarray(known, known + 3), reader.position + known);
    known += 3 + block.size;
    last = block.last;
  }
  yield* exactly(reader, known + (header.hasChecksum ? 4 : 0));
}

async function* exactly(reader: SourceReader, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const piece = await reader.take(left);
    if (piece === undefined) throw damagedFrame(reader.position, "it ends within a frame");
    left -= piece.length;
    yield piece;
  }
}
