/** An image's archive before it is sent: one file, or a folder packed into one. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type ArchiveSummary, scanArchive } from "../../proto/tree/scan/scan-archive.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { beginImage } from "./image-file.ts";
import { unxz } from "./unxz.ts";

const PIECE = 1024 * 1024;

/** An archive as a file. */
export interface ArchiveFile extends AsyncDisposable {
  readonly path: string;
  readonly sizeBytes: number;
}

/** The file at `path`, or the folder there packed below `work`, as tar.zst, until it is disposed of. */
export async function openArchive(path: string, work: string, signal: AbortSignal): Promise<ArchiveFile> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? await packFolder(path, work, signal) : await openFile(path);
}

/** A regular file. */
export async function openFile(path: string): Promise<ArchiveFile> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new HpsError("not-found", `there is no file ${path}`, { hint: "is it there, and may you see it?", cause });
  });
  if (!found.isFile()) throw new HpsError("invalid", `${path} is not a file`);
  return { path, sizeBytes: found.size, [Symbol.asyncDispose]: async () => undefined };
}

/** SHA-256, lower-case hex. */
export async function digestOfFile(file: ArchiveFile, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of readArchive(file)) {
    signal.throwIfAborted();
    hash.update(piece);
  }
  return hash.digest("hex");
}

async function packFolder(folder: string, work: string, signal: AbortSignal): Promise<ArchiveFile> {
  await mkdir(work, { recursive: true, mode: 0o700 });
  const own = await mkdtemp(join(work, "pack-"));
  try {
    // Native calls, which an archive that is there already does not need.
    const { tarOfTree } = await import("../../proto/tree/walk/tar-of-tree.ts");
    await using file = await beginImage(join(own, "image.tar.zst"));
    const { path, sizeBytes } = await file.write(Readable.from(stopping(tarOfTree(folder), signal)));
    await file.keep();
    return { path, sizeBytes, [Symbol.asyncDispose]: () => rm(own, { recursive: true, force: true }) };
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    throw error;
  }
}

async function* stopping(pieces: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
  }
}

export interface ScannedArchive extends ArchiveSummary {
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
}

/** Reads the whole file once: what it holds, and its digest. `onBytes` hears how far it is. */
export async function scanFile(
  { path, sizeBytes }: ArchiveFile,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<ScannedArchive> {
  const hash = createHash("sha256");
  let at = 0;
  const take = async function* (from: number) {
    if (from >= sizeBytes) return;
    for await (const piece of readPieces(path, from, sizeBytes)) {
      signal.throwIfAborted();
      hash.update(piece);
      at += piece.length;
      onBytes(piece.length);
      yield piece;
    }
  };
  const summary = await scanArchive(take(0), { xz: unxz, signal });
  // What stands behind the end of the archive belongs to the file.
  for await (const _ of take(at));
  if (at !== sizeBytes) throw changed(path);
  return { ...summary, digest: hash.digest("hex") };
}

/** The file's bytes. Fails when it is shorter than it was. */
export async function* readArchive({ path, sizeBytes }: ArchiveFile): AsyncGenerator<Buffer, void> {
  let read = 0;
  for await (const piece of readPieces(path, 0, sizeBytes)) {
    read += piece.length;
    yield piece;
  }
  if (read !== sizeBytes) throw changed(path);
}

async function* readPieces(path: string, from: number, size: number): AsyncGenerator<Buffer, void> {
  if (size === 0) return;
  const stream = createReadStream(path, { start: from, end: size - 1, highWaterMark: PIECE });
  try {
    for await (const piece of stream) yield piece;
  } catch (cause) {
    throw new HpsError("unavailable", `cannot read ${path}`, { hint: "may you read it?", cause });
  }
}

function changed(path: string): HpsError {
  return new HpsError("aborted", `${path} changed while it was read`, { hint: "try again when it is whole" });
}
