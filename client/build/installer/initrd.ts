import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cpioEnd, cpioEntry } from "../../../proto/tree/cpio.ts";
import { sha256Of } from "./deb-cache.ts";
import { unpackedCommand } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import { entryOf, type StagedFile, withFolders } from "./staged-file.ts";
import type { Unpacked } from "./unpacked.ts";

/** Best size for the time: Node's program gets 5 % smaller by the next two levels, at twice the time. The same for any number of threads. */
const COMPRESSION = ["-17", "-T2"] as const;

export interface InitrdOptions {
  readonly unpacked: Unpacked;
  readonly place: ProgramPlace;
  /** Compressed parts of earlier builds: most of an installer stays the same from one to the next. */
  readonly cache: string;
  /** For files on the way. */
  readonly work: string;
}

/** Archives one after the other, each compressed by itself: the kernel unpacks them as one file system. */
export async function writeInitrd(
  path: string,
  parts: ReadonlyMap<string, readonly StagedFile[]>,
  options: InitrdOptions,
) {
  await rm(path, { force: true });
  for (const [name, files] of parts) {
    const part = await compressedPart(name, files, options);
    await pipeline(createReadStream(part), createWriteStream(path, { flags: "a" }));
    await pad(path);
  }
}

async function compressedPart(name: string, files: readonly StagedFile[], options: InitrdOptions): Promise<string> {
  const { unpacked, place, cache, work } = options;
  await mkdir(cache, { recursive: true });
  const archive = join(work, `${name}.cpio`);
  await writeArchive(archive, files);
  const zstd = unpackedCommand("usr/bin/zstd", unpacked);
  const key = createHash("sha256")
    .update(await sha256Of(archive))
    .update(await sha256Of(unpacked.need("usr/bin/zstd")));
  const kept = join(cache, `${key.update(COMPRESSION.join(" ")).digest("hex")}.zst`);
  const made = `${archive}.zst`;
  const isKept = await runProgram([...zstd, "--test", "-q", kept], place).then(
    () => true,
    () => false,
  );
  if (!isKept) {
    await runProgram([...zstd, ...COMPRESSION, "-q", "-f", archive, "-o", made], place);
    await copyFile(made, `${kept}.new`);
    await rename(`${kept}.new`, kept);
  }
  await rm(archive);
  return kept;
}

async function writeArchive(path: string, files: readonly StagedFile[]): Promise<void> {
  await using file = await open(path, "w");
  for (const [index, staged] of withFolders(files).entries()) {
    for (const piece of cpioEntry(entryOf(staged), index + 1)) await file.writeFile(piece);
  }
  await file.writeFile(cpioEnd());
}

/** To a multiple of four: the kernel skips zero bytes between archives, and UEFI passes by a second initrd that does not begin at one. */
async function pad(path: string): Promise<void> {
  await using file = await open(path, "a");
  const { size } = await file.stat();
  await file.writeFile(new Uint8Array((4 - (size % 4)) % 4));
}
