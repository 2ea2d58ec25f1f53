import { type ErrorCode, HpsError } from "../../values/hps-error.ts";
import { type ByteString, showName } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import type { TarEntry } from "../tar/entry.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint?: string;
}

const FULL: Meaning = {
  code: "exhausted",
  says: "the file system is full",
  hint: "give the tree more room, or take a smaller image",
};

const MOUNTED: Meaning = { code: "invalid", says: "a mounted file system stands in its place" };

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EIO: { code: "data-loss", says: "the disk reports an error", hint: "look at the kernel's log; replace the disk" },
  EROFS: { code: "precondition", says: "the file system is read-only" },
  ENOTSUP: { code: "precondition", says: "the file system cannot hold such an attribute" },
  EPERM: { code: "denied", says: "this process may not do that", hint: "run it as root" },
  EACCES: { code: "denied", says: "this process may not do that", hint: "run it as root" },
  ELOOP: { code: "invalid", says: "a folder above it is a link, and links are not followed" },
  ENOTDIR: { code: "invalid", says: "what should be a folder above it is none" },
  ENOENT: { code: "invalid", says: "it refers to a name that is not there" },
  ENAMETOOLONG: { code: "invalid", says: "a name in it is too long for the file system" },
  EFBIG: { code: "invalid", says: "it is larger than the file system's files can be" },
  EMLINK: { code: "invalid", says: "the file system takes no more names for that file" },
  EBUSY: MOUNTED,
  EXDEV: MOUNTED,
  EINVAL: { code: "invalid", says: "the file system does not take it" },
  ERANGE: { code: "invalid", says: "the file system does not take it" },
};

/** An error as the caller is told it: what could not be unpacked, and why. An `HpsError` stays as it is. */
export function unpackError(error: unknown, path: ByteString): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const { code, says, hint } = MEANINGS[errno] ?? { code: "unavailable", says: `the system says ${errno}` };
  return new HpsError(code, `cannot unpack ${showName(path)}: ${says}`, {
    details: { errno },
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

/** What keeps its place from an entry of another kind. */
export function folderInPlace(path: ByteString): HpsError {
  return new HpsError("exists", `a folder stands in the place of ${showName(path)}`, {
    hint: "remove it first, or give the copy another place",
  });
}

/** An entry of another kind stands for the root itself. */
export function wrongRoot({ path }: Pick<TarEntry, "path">): HpsError {
  return new HpsError("invalid", `the archive's root ${showName(path)} is no folder`);
}
