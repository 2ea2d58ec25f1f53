/**
 * Calls on names below an open directory. A name is one component unless said otherwise, and none of these follows a link
 * in it. All throw `CallError`.
 */
import { constants } from "node:fs";
import { type ByteString, zeroEnded } from "../byte-string.ts";
import { checked } from "./call-error.ts";
import { cFunction } from "./library.ts";

const SYS_OPENAT2 = 437;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const BILLION = 1_000_000_000n;

const syscall = cFunction("int64_t syscall(int64_t number, int at, uint8_t *path, uint8_t *how, uint64_t size)");
const openat = cFunction("int openat(int at, uint8_t *name, int flags, uint32_t mode)");
const mkdirat = cFunction("int mkdirat(int at, uint8_t *name, uint32_t mode)");
const mknodat = cFunction("int mknodat(int at, uint8_t *name, uint32_t mode, uint64_t device)");
const symlinkat = cFunction("int symlinkat(uint8_t *target, int at, uint8_t *name)");
const linkat = cFunction("int linkat(int from, uint8_t *name, int to, uint8_t *newName, int flags)");
const unlinkat = cFunction("int unlinkat(int at, uint8_t *name, int flags)");
const fchownat = cFunction("int fchownat(int at, uint8_t *name, uint32_t uid, uint32_t gid, int flags)");
const fchmodat = cFunction("int fchmodat(int at, uint8_t *name, uint32_t mode, int flags)");
const utimensat = cFunction("int utimensat(int at, uint8_t *name, uint8_t *times, int flags)");
const futimens = cFunction("int futimens(int fd, uint8_t *times)");

// Calls return before the next one begins, so that all can be given the same bytes: struct open_how, two struct timespec.
const HOW = Buffer.alloc(24);
const TIMES = Buffer.alloc(32);

export interface OpenBeneath {
  readonly flags: number;
  readonly mode?: number;
  /** Refuse to enter another file system (`EXDEV`). */
  readonly sameMount?: boolean;
}

/** Opens `path` (of many components) below `at`: it never leaves that directory and follows no link anywhere. Close-on-exec. */
export function openBeneath(at: number, path: ByteString, { flags, mode = 0, sameMount = false }: OpenBeneath): number {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | (sameMount ? RESOLVE_NO_XDEV : 0);
  HOW.writeUInt32LE(flags | O_CLOEXEC, 0);
  HOW.writeUInt32LE(mode, 8);
  HOW.writeUInt32LE(resolve, 16);
  return checked("openat2", syscall(SYS_OPENAT2, at, zeroEnded(path), HOW, HOW.length));
}

/** A directory below `at`, for use as `at` alone: it cannot be read or changed through this descriptor. */
export function openDirectoryBeneath(at: number, path: ByteString): number {
  return openBeneath(at, path, { flags: O_PATH | constants.O_DIRECTORY });
}

/** A new regular file for writing; `EEXIST` when there is anything of that name, a link too. */
export function createFile(at: number, name: ByteString, mode: number): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_CLOEXEC;
  return checked("openat", openat(at, zeroEnded(name), flags, mode));
}

/** A file for writing, new or not; `ELOOP` when a link bears the name. */
export function openOrCreateFile(at: number, name: ByteString, mode: number): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK | O_CLOEXEC;
  return checked("openat", openat(at, zeroEnded(name), flags, mode));
}

export function makeDirectory(at: number, name: ByteString, mode: number): void {
  checked("mkdirat", mkdirat(at, zeroEnded(name), mode));
}

/** A device, fifo or socket; `mode` includes the type, `device` is as `makeDevice` has it. */
export function makeNode(at: number, name: ByteString, mode: number, device: bigint): void {
  checked("mknodat", mknodat(at, zeroEnded(name), mode, device));
}

export function makeSymlink(target: ByteString, at: number, name: ByteString): void {
  checked("symlinkat", symlinkat(zeroEnded(target), at, zeroEnded(name)));
}

/** A second name for a file; a link is linked itself, not what it points to. */
export function makeHardLink(from: number, name: ByteString, to: number, newName: ByteString): void {
  checked("linkat", linkat(from, zeroEnded(name), to, zeroEnded(newName), 0));
}

export function removeName(at: number, name: ByteString): void {
  checked("unlinkat", unlinkat(at, zeroEnded(name), 0));
}

export function removeEmptyDirectory(at: number, name: ByteString): void {
  checked("unlinkat", unlinkat(at, zeroEnded(name), AT_REMOVEDIR));
}

export function changeOwner(at: number, name: ByteString, uid: number, gid: number): void {
  checked("fchownat", fchownat(at, zeroEnded(name), uid, gid, AT_SYMLINK_NOFOLLOW));
}

/** Not for links: they have no mode, and this call would follow one. */
export function changeMode(at: number, name: ByteString, mode: number): void {
  checked("fchmodat", fchmodat(at, zeroEnded(name), mode, 0));
}

/** Both times, in nanoseconds since 1970, negative ones too. */
export function setTimes(at: number, name: ByteString, ns: bigint): void {
  checked("utimensat", utimensat(at, zeroEnded(name), timesOf(ns), AT_SYMLINK_NOFOLLOW));
}

/** The same for an open file. */
export function setFileTimes(fd: number, ns: bigint): void {
  checked("futimens", futimens(fd, timesOf(ns)));
}

function timesOf(ns: bigint): Buffer {
  const below = ((ns % BILLION) + BILLION) % BILLION;
  const seconds = (ns - below) / BILLION;
  for (const at of [0, 16]) {
    TIMES.writeBigInt64LE(seconds, at);
    TIMES.writeBigInt64LE(below, at + 8);
  }
  return TIMES;
}

/** The kernel's number of a device, as glibc's makedev. */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/** The reverse of `makeDevice`. */
export function deviceParts(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  };
}
