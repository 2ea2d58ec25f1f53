import { closeSync, fstatSync } from "node:fs";
import type { TarHandler } from "../../../proto/tree/tar/entry.ts";
import { TarReader } from "../../../proto/tree/tar/reader.ts";
import { openSource, readAt, unpacked } from "./archive-reader.ts";
import type { ImageSource, SourceProgress } from "./source.ts";

/** The archive at `path`, compressed or not. */
export function tarSource(path: string): ImageSource {
  const fd = openSource(path);
  const { size } = fstatSync(fd);
  return {
    sizeBytes: size,
    // Compressed, it needs more, and nobody knows how much.
    roomBytes: size,
    read: (builder, progress) => readTar(readAt(fd, 0, size), builder, progress),
    [Symbol.asyncDispose]: async () => closeSync(fd),
  };
}

/** Reads a whole archive, and what stands behind its end. */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  handler: TarHandler,
  { signal, onBytes }: SourceProgress,
): Promise<void> {
  const reader = new TarReader(handler);
  for await (const piece of unpacked(counted(source, onBytes))) {
    signal.throwIfAborted();
    reader.push(piece);
  }
  reader.end();
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const piece of source) {
    onBytes(piece.length);
    yield piece;
  }
}
