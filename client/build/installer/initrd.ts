import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileDigest } from "../../../proto/flow/file-digest.ts";
import { cpioEnd, cpioEntry } from "../../../proto/tree/cpio.ts";
import { dropUnused, markUsed } from "./aged-files.ts";
import { unpackedCommand } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import { entryOf, type StagedFile, withFolders } from "./staged-file.ts";
import type { Unpacked } from "./unpacked.ts";

/** One archive of an initrd. */
export interface InitrdPart {
  readonly name: string;
  readonly files: readonly StagedFile[];
  /** zstd's level: Node gets 8 % smaller by 17 in place of 12 and takes ten times as long, once for every version of Node. */
  readonly level: 12 | 17;
}

export interface InitrdOptions {
  readonly unpacked: Unpacked;
  readonly place: ProgramPlace;
  /** Compressed parts of earlier builds: most of an installer stays the same from one to the next. */
  readonly cache: string;
  /** For files on the way. */
  readonly work: string;
}

/** Archives one after the other, each compressed by itself: the kernel unpacks them as one file system. */
export async function writeInitrd(path: string, parts: readonly InitrdPart[], options: InitrdOptions) {
  await rm(path, { force: true });
  for (const part of parts) {
    await pipeline(createReadStream(await compressed(part, options)), createWriteStream(path, { flags: "a" }));
    await pad(path);
  }
  await dropUnused(options.cache);
}

async function compressed({ name, files, level }: InitrdPart, options: InitrdOptions): Promise<string> {
  const { unpacked, place, cache, work } = options;
  await mkdir(cache, { recursive: true });
  const archive = join(work, `${name}.cpio`);
  await writeArchive(archive, files);
  const zstd = unpackedCommand("usr/bin/zstd", unpacked);
  const key = createHash("sha256")
    .update(await fileDigest(archive))
    .update(await fileDigest(unpacked.need("usr/bin/zstd")));
  const kept = join(cache, `${key.update(`${level}`).digest("hex")}.zst`);
  const made = `${archive}.zst`;
  const isKept = await runProgram([...zstd, "--test", "-q", kept], place).then(
    () => true,
    () => false,
  );
  if (!isKept) {
    await runProgram([...zstd, `-${level}`, "-T2", "-q", "-f", archive, "-o", made], place);
    const beside = `${kept}.${randomBytes(4).toString("hex")}`;
    await copyFile(made, beside);
    await rename(beside, kept);
  }
  await markUsed(kept);
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
