import type { Chunk } from "../link/read-span.ts";
import type { Run, Wanted } from "./plan-runs.ts";
import type { Rooms } from "./rooms.ts";

/** A part as it came, in memory of its own that may be given away. */
export interface Fetched<Part> {
  readonly part: Part;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of the origin of its last byte. */
  readonly origin: number;
}

/** Cuts the bytes of a run into its parts; what lies between them is dropped. */
export async function* partsOfRun<Part extends Wanted>(
  run: Pick<Run<Part>, "from" | "parts">,
  chunks: AsyncIterable<Chunk>,
  rooms: Rooms,
): AsyncGenerator<Fetched<Part>, void> {
  let at = run.from;
  let next = 0;
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  for await (const chunk of chunks) {
    const end = at + chunk.bytes.length;
    for (let part = run.parts[next]; part !== undefined && part.offset < end; part = run.parts[next]) {
      bytes ??= rooms.take(part.compressedBytes);
      const partEnd = part.offset + part.compressedBytes;
      const from = Math.max(at, part.offset);
      bytes.set(chunk.bytes.subarray(from - at, Math.min(partEnd, end) - at), from - part.offset);
      if (partEnd > end) break;
      yield { part, bytes, origin: chunk.origin };
      bytes = undefined;
      next += 1;
    }
    at = end;
  }
}
