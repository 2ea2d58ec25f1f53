/** Calls on open files and block devices that Node lacks. All throw `CallError`. */
import { constants } from "node:os";
import { CallError, checked } from "./call-error.ts";
import { cFunction, waitingFunction } from "./library.ts";

const lseek = cFunction("int64_t lseek(int fd, int64_t offset, int whence)");
const flock = cFunction("int flock(int fd, int operation)");
const syncfs = cFunction("int syncfs(int fd)");
const syncfsMeanwhile = waitingFunction("int syncfs(int fd)");
const syncRange = cFunction("int sync_file_range(int fd, int64_t offset, int64_t bytes, uint32_t flags)");
const ioctl = cFunction("int ioctl(int fd, uint64_t request, uint8_t *value)");

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const LOCK_SHARED = 1;
const LOCK_EXCLUSIVE = 2;
const LOCK_NO_WAIT = 4;
const SYNC_FILE_RANGE_WRITE = 2;
const BLKRRPART = 0x125f;
const FIOCLEX = 0x5451;
const BLKGETSIZE64 = 0x80081272;

export interface Segment {
  readonly offset: number;
  readonly size: number;
}

/** Where a file of `size` bytes holds data; what lies between is zero. Moves the file's position. */
export function dataSegments(fd: number, size: number): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  while (at < size) {
    const start = seekData(fd, at);
    if (start === undefined || start >= size) break;
    const end = Math.min(checked("lseek", lseek(fd, start, SEEK_HOLE)), size);
    segments.push({ offset: start, size: end - start });
    at = end;
  }
  return segments;
}

function seekData(fd: number, from: number): number | undefined {
  try {
    return checked("lseek", lseek(fd, from, SEEK_DATA));
  } catch (error) {
    if (error instanceof CallError && error.code === "ENXIO") return undefined;
    throw error;
  }
}

/** Locks an open file until it is closed, without waiting: false when another holds it. */
export function tryLock(fd: number, kind: "shared" | "exclusive" = "exclusive"): boolean {
  try {
    checked("flock", flock(fd, (kind === "shared" ? LOCK_SHARED : LOCK_EXCLUSIVE) | LOCK_NO_WAIT));
    return true;
  } catch (error) {
    if (error instanceof CallError && error.code === "EAGAIN") return false;
    throw error;
  }
}

/** Programs that this process starts do not have the open file. Node asks for that itself of all that it opens. */
export function closeOnExec(fd: number): void {
  checked("ioctl", ioctl(fd, FIOCLEX, null));
}

/** Writes all of the file system that holds the open file to its disk; this thread waits. */
export function syncFileSystem(fd: number): void {
  checked("syncfs", syncfs(fd));
}

/** The same while this thread goes on. */
export async function syncFileSystemMeanwhile(fd: number): Promise<void> {
  // Of an open file it fails for what the disk reports, and for nothing else.
  if ((await syncfsMeanwhile(fd)) === -1) throw new CallError("syncfs", constants.errno.EIO);
}

/** Has the disk begin with these bytes now, which the kernel would keep for half a minute; nobody waits for it. */
export function startWriting(fd: number, offset: number, bytes: number): void {
  checked("sync_file_range", syncRange(fd, offset, bytes, SYNC_FILE_RANGE_WRITE));
}

/** Lets the kernel read a disk's partition table anew; `EBUSY` while a partition is in use. */
export function rereadPartitions(fd: number): void {
  checked("ioctl BLKRRPART", ioctl(fd, BLKRRPART, null));
}

/** In bytes. */
export function blockDeviceSize(fd: number): bigint {
  const size = Buffer.alloc(8);
  checked("ioctl BLKGETSIZE64", ioctl(fd, BLKGETSIZE64, size));
  return size.readBigUInt64LE();
}
