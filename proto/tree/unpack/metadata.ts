/** Owner, then mode (a change of owner takes the set-uid bits away), then attributes (and capabilities), then times. */
import { fchmodSync, fchownSync } from "node:fs";
import { type ByteString, latin1 } from "../byte-string.ts";
import { changeMode, changeOwner, setFileTimes, setTimes } from "../native/paths.ts";
import { setFileXattr, setXattr } from "../native/xattrs.ts";
import type { TarEntry } from "../tar/entry.ts";

export type Metadata = Pick<TarEntry, "mode" | "uid" | "gid" | "mtime" | "xattrs">;

/** Of an open file or folder. */
export function setOpenMetadata(fd: number, entry: Metadata): void {
  fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, entry.mode);
  for (const { name, value } of entry.xattrs) setFileXattr(fd, name, value);
  setFileTimes(fd, entry.mtime);
}

/** Of a file that was just made with that owner and mode: only what is to be otherwise is set, for each call counts where there are many files. */
export function setNewMetadata(fd: number, entry: Metadata, made: Pick<Metadata, "uid" | "gid" | "mode">): void {
  if (entry.uid !== made.uid || entry.gid !== made.gid) fchownSync(fd, entry.uid, entry.gid);
  if (entry.mode !== made.mode) fchmodSync(fd, entry.mode);
  for (const { name, value } of entry.xattrs) setFileXattr(fd, name, value);
  setFileTimes(fd, entry.mtime);
}

/** Of what cannot be opened: links, devices, fifos. */
export function setNamedMetadata(at: number, name: ByteString, entry: Metadata & Pick<TarEntry, "type">): void {
  changeOwner(at, name, entry.uid, entry.gid);
  if (entry.type !== "symlink") changeMode(at, name, entry.mode);
  for (const xattr of entry.xattrs) setXattr(throughProc(at, name), xattr.name, xattr.value);
  setTimes(at, name, entry.mtime);
}

/** A path for calls that take no folder: the link in /proc leads to the open folder itself, and the last name is not followed. */
export function throughProc(at: number, name: ByteString): ByteString {
  return latin1(`/proc/self/fd/${at}/${name}`);
}
