import { fchmodSync, fchownSync } from "node:fs";
import type { ByteString } from "../byte-string.ts";
import { listFileXattrs, removeFileXattr } from "../native/xattrs.ts";

/** Makes an open file or folder ours alone, without attributes but `kept`: nothing of it is passed on to what is made in it. */
export function clearMetadata(fd: number, mode: number, kept?: ByteString): void {
  for (const name of listFileXattrs(fd)) if (name !== kept) removeFileXattr(fd, name);
  fchownSync(fd, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  fchmodSync(fd, mode);
}
