/** Extended attributes as bytes. A path is the system's own and its last component is never followed. All throw `CallError`. */
import { type ByteString, byteString, splitBytes, zeroEnded } from "../byte-string.ts";
import { CallError, checked } from "./call-error.ts";
import { cFunction } from "./library.ts";

const fsetxattr = cFunction("int fsetxattr(int fd, uint8_t *name, uint8_t *value, uint64_t size, int flags)");
const lsetxattr = cFunction("int lsetxattr(uint8_t *path, uint8_t *name, uint8_t *value, uint64_t size, int flags)");
const fremovexattr = cFunction("int fremovexattr(int fd, uint8_t *name)");
const lgetxattr = cFunction("int64_t lgetxattr(uint8_t *path, uint8_t *name, uint8_t *value, uint64_t size)");
const flistxattr = cFunction("int64_t flistxattr(int fd, uint8_t *list, uint64_t size)");
const llistxattr = cFunction("int64_t llistxattr(uint8_t *path, uint8_t *list, uint64_t size)");

/** Of the kernel's bound for one value and for the list of names. Calls return before the next one begins: all share it. */
const ANSWER = Buffer.alloc(65_536);

export function setFileXattr(fd: number, name: ByteString, value: Uint8Array): void {
  checked("fsetxattr", fsetxattr(fd, zeroEnded(name), value, value.length, 0));
}

export function setXattr(path: ByteString, name: ByteString, value: Uint8Array): void {
  checked("lsetxattr", lsetxattr(zeroEnded(path), zeroEnded(name), value, value.length, 0));
}

export function removeFileXattr(fd: number, name: ByteString): void {
  checked("fremovexattr", fremovexattr(fd, zeroEnded(name)));
}

/** Undefined when there is none of that name. */
export function getXattr(path: ByteString, name: ByteString): Buffer | undefined {
  try {
    const size = checked("lgetxattr", lgetxattr(zeroEnded(path), zeroEnded(name), ANSWER, ANSWER.length));
    return Buffer.from(ANSWER.subarray(0, size));
  } catch (error) {
    if (error instanceof CallError && error.code === "ENODATA") return undefined;
    throw error;
  }
}

/** None where the file system knows no attributes. */
export function listXattrs(path: ByteString): ByteString[] {
  return listed("llistxattr", () => llistxattr(zeroEnded(path), ANSWER, ANSWER.length));
}

/** The same of an open file. */
export function listFileXattrs(fd: number): ByteString[] {
  return listed("flistxattr", () => flistxattr(fd, ANSWER, ANSWER.length));
}

function listed(call: string, list: () => number): ByteString[] {
  try {
    const size = checked(call, list());
    return splitBytes(byteString(ANSWER.subarray(0, size)), "\0");
  } catch (error) {
    if (error instanceof CallError && error.code === "ENOTSUP") return [];
    throw error;
  }
}
