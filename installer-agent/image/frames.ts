import type { Chunk } from "../link/read-span.ts";
import type { PlannedFrame, Run } from "./plan-runs.ts";

/** A frame as it came, in memory of its own that may be given away. */
export interface FetchedFrame {
  readonly frame: PlannedFrame;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of the origin of its last byte. */
  readonly origin: number;
}

/** Cuts the bytes of a run into its frames; what lies between them is dropped. */
export async function* framesOf(run: Run, chunks: AsyncIterable<Chunk>): AsyncGenerator<FetchedFrame, void> {
  let at = run.from;
  let next = 0;
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  for await (const chunk of chunks) {
    const end = at + chunk.bytes.length;
    for (let frame = run.frames[next]; frame !== undefined && frame.offset < end; frame = run.frames[next]) {
      bytes ??= new Uint8Array(frame.compressedBytes);
      const frameEnd = frame.offset + frame.compressedBytes;
      const from = Math.max(at, frame.offset);
      bytes.set(chunk.bytes.subarray(from - at, Math.min(frameEnd, end) - at), from - frame.offset);
      if (frameEnd > end) break;
      yield { frame, bytes, origin: chunk.origin };
      bytes = undefined;
      next += 1;
    }
    at = end;
  }
}
