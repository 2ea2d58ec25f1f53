import { open, readFile } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";

const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const SECTOR = 512;

/** A virtio disk whose writes and flushes QEMU also logs, in their order. */
export interface LoggedDisk {
  /** What QEMU writes to: a disk whose cache never loses anything. */
  readonly file: string;
  /** Exists, and is empty. */
  readonly log: string;
  readonly serial: string;
}

/** QEMU arguments of such a disk. It offers writes and flushes alone: what else a disk can do is logged in other ways. */
export function loggedDisk({ file, log, serial }: LoggedDisk): readonly string[] {
  return [
    ...["-blockdev", `driver=file,node-name=logged-file,filename=${file}`],
    ...["-blockdev", "driver=raw,node-name=logged-raw,file=logged-file"],
    ...["-blockdev", `driver=file,node-name=logged-log,filename=${log}`],
    ...["-blockdev", `driver=blklogwrites,node-name=logged,file=logged-raw,log=logged-log,log-sector-size=${SECTOR}`],
    ...["-device", `virtio-blk-pci,drive=logged,serial=${serial},discard=off,write-zeroes=off`],
  ];
}

/**
 * Makes `disk`, as it was before QEMU ran, what it is after a power cut that is as bad as one may be: all that was written before the
 * last flush is there, and nothing of what was written later. Answers with how many bytes of the log came later.
 */
export async function afterPowerCut(disk: string, log: string): Promise<number> {
  const { kept, later } = writesIn(await readFile(log));
  await using handle = await open(disk, "r+");
  for (const { at, data } of kept) await handle.write(data, 0, data.length, at);
  return later;
}

interface Write {
  readonly at: number;
  readonly data: Uint8Array;
}

/** Reads a log of the form of Linux's dm-log-writes, as far as its first sector says that it goes; QEMU writes that at each flush. */
export function writesIn(log: Buffer): { readonly kept: readonly Write[]; readonly later: number } {
  if (log.length < SECTOR || log.readBigUInt64LE(0) !== MAGIC || log.readUInt32LE(24) !== SECTOR) {
    throw new HpsError("invalid", "this is no log of writes with sectors of 512 bytes");
  }
  const entries = Number(log.readBigUInt64LE(16));
  const writes: Write[] = [];
  let flushed = 0;
  let flushedAt = SECTOR;
  let place = SECTOR;
  for (let entry = 0; entry < entries; entry += 1) {
    const [at, length] = [0, 8].map((field) => Number(log.readBigUInt64LE(place + field)) * SECTOR);
    const flags = log.readBigUInt64LE(place + 16);
    if (at === undefined || length === undefined || (flags & ~FLUSH) !== 0n) {
      throw new HpsError("invalid", `entry ${entry} of the log of writes has flags ${flags}`);
    }
    place += SECTOR;
    if (length > 0) writes.push({ at, data: log.subarray(place, place + length) });
    place += length;
    if ((flags & FLUSH) !== 0n) [flushed, flushedAt] = [writes.length, place];
  }
  return { kept: writes.slice(0, flushed), later: log.length - flushedAt };
}
