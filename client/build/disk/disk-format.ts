import { closeSync, openSync, readSync } from "node:fs";
import { HpsError } from "../../../proto/values/hps-error.ts";

export type DiskFormat = "raw" | "qcow2";

const MAGIC = 0x5146_49fb;
const HEAD = 80;
const EXTERNAL_DATA = 1n << 2n;

/** What a disk's file is. Throws for a qcow2 that leads to other files: they would be read with the reader's rights. */
export function diskFormat(path: string): DiskFormat {
  const head = headOf(path);
  if (head.readUInt32BE(0) !== MAGIC) return "raw";
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    throw new HpsError("unimplemented", `${path} is a qcow file of version ${version}`, {
      hint: "make a new one of it: qemu-img convert -O qcow2 OLD NEW",
    });
  }
  const leadsAway =
    head.readBigUInt64BE(8) !== 0n || (version === 3 && (head.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n);
  if (!leadsAway) return "qcow2";
  throw new HpsError("denied", `${path} is not whole: it is laid over another file, which it names`, {
    hint: "where you trust that name, make one file of both: qemu-img convert -O qcow2 OLD NEW",
  });
}

function headOf(path: string): Buffer {
  const head = Buffer.alloc(HEAD);
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new HpsError("not-found", `cannot read ${path}`, { hint: "is it there, and may you see it?", cause });
  }
  try {
    readSync(fd, head, 0, HEAD, 0);
  } finally {
    closeSync(fd);
  }
  return head;
}
