import { open, readFile } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { must } from "../run.ts";

const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const SECTOR = 512;
/** Where the log says how many entries it has. */
const ENTRIES_AT = 16;

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
  const { writes, flushes, later } = readWriteLog(await readFile(log));
  await apply(disk, writes.slice(0, flushes.at(-1)?.writes ?? 0));
  return later;
}

/** How many entries a log has that QEMU is writing. It says so before a guest hears that a flush is done: what counts on that flush is among them. */
export async function entriesIn(log: string): Promise<number> {
  await using handle = await open(log);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(SECTOR), 0, SECTOR, 0);
  return bytesRead < SECTOR ? 0 : Number(buffer.readBigUInt64LE(ENTRIES_AT));
}

/** A disk that goes through what a guest wrote, from flush to flush; only forward. */
export class DiskReplay {
  readonly flushes: readonly Flush[];
  readonly #disk: string;
  readonly #writes: readonly Write[];
  #done = 0;

  private constructor(disk: string, { writes, flushes }: WriteLog) {
    this.#disk = disk;
    this.#writes = writes;
    this.flushes = flushes;
  }

  /** `disk` is as it was before QEMU ran; it is changed. */
  static async open(disk: string, log: string): Promise<DiskReplay> {
    return new DiskReplay(disk, readWriteLog(await readFile(log)));
  }

  /**
   * Makes `into` the disk as a power cut after this flush, and before the next, may leave it: all that was written before it, and of
   * what came then whatever `isThere` says.
   */
  async cutAfter(flush: Flush, into: string, isThere: () => boolean): Promise<void> {
    await apply(this.#disk, this.#writes.slice(this.#done, flush.writes));
    this.#done = flush.writes;
    await must(["cp", "--sparse=always", this.#disk, into], { timeoutMs: 120_000 });
    const next = this.flushes.find(({ entries }) => entries > flush.entries);
    await apply(into, this.#writes.slice(flush.writes, next?.writes).filter(isThere));
  }
}

async function apply(disk: string, writes: readonly Write[]): Promise<void> {
  await using handle = await open(disk, "r+");
  for (const { at, data } of writes) await handle.write(data, 0, data.length, at);
}

interface Write {
  readonly at: number;
  readonly data: Uint8Array;
}

/** A flush that was done. */
export interface Flush {
  /** Of the log, with it. */
  readonly entries: number;
  /** Before it. */
  readonly writes: number;
}

interface WriteLog {
  readonly writes: readonly Write[];
  readonly flushes: readonly Flush[];
  /** Bytes of the log behind the last flush. */
  readonly later: number;
}

/** Reads a log of the form of Linux's dm-log-writes, as far as its first sector says that it goes; QEMU writes that at each flush. */
export function readWriteLog(log: Buffer): WriteLog {
  if (log.length < SECTOR || log.readBigUInt64LE(0) !== MAGIC || log.readUInt32LE(24) !== SECTOR) {
    throw new HpsError("invalid", "this is no log of writes with sectors of 512 bytes");
  }
  const entries = Number(log.readBigUInt64LE(ENTRIES_AT));
  const writes: Write[] = [];
  const flushes: Flush[] = [];
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
    if ((flags & FLUSH) === 0n) continue;
    flushes.push({ entries: entry + 1, writes: writes.length });
    flushedAt = place;
  }
  return { writes, flushes, later: log.length - flushedAt };
}
