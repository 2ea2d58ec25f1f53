import { closeSync, constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { HpsError } from "../../values/hps-error.ts";
import type { ByteString } from "../byte-string.ts";
import { dataSegments } from "../native/files.ts";
import { createFile, openBeneath, setFileTimes } from "../native/paths.ts";
import { getXattr, listXattrs, setFileXattr } from "../native/xattrs.ts";
import { throughProc } from "./metadata.ts";

const PIECE = 1 << 20;

interface Name {
  readonly at: number;
  readonly name: ByteString;
}

/** A file like `from` in every respect, for a hard link that would lead to another file system. Gives how many bytes it wrote. */
export function copyFile(from: Name, to: Name): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const source = openBeneath(from.at, from.name, { flags });
  try {
    const stat = fstatSync(source, { bigint: true });
    if (!stat.isFile()) throw new HpsError("unimplemented", "a hard link to a device on another file system");
    const target = createFile(to.at, to.name, 0o600);
    try {
      const copied = copyContent(source, target, Number(stat.size));
      fchownSync(target, Number(stat.uid), Number(stat.gid));
      fchmodSync(target, Number(stat.mode) & 0o7777);
      const path = throughProc(from.at, from.name);
      for (const name of listXattrs(path)) setFileXattr(target, name, getXattr(path, name) ?? Buffer.alloc(0));
      setFileTimes(target, stat.mtimeNs);
      return copied;
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function copyContent(source: number, target: number, size: number): number {
  const piece = Buffer.allocUnsafe(PIECE);
  let copied = 0;
  for (const segment of dataSegments(source, size)) {
    const end = segment.offset + segment.size;
    for (let at = segment.offset; at < end; ) {
      const read = readSync(source, piece, 0, Math.min(PIECE, end - at), at);
      if (read === 0) break;
      writeWhole(target, piece.subarray(0, read), at);
      copied += read;
      at += read;
    }
  }
  ftruncateSync(target, size);
  return copied;
}

/** The kernel may take less than it is given. */
export function writeWhole(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
