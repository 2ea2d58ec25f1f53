/** What a source of an image is, by what lies there. */
import { closeSync, existsSync, fstatSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { openSource, readAt, unpacked } from "./archive-reader.ts";

export type SourceKind = "tar" | "dir" | "oci" | "disk";

const HEAD = 4096;
const BLOCK = 512;

/** A tar archive has no mark at its very beginning, so all others are looked for first. */
export async function guessKind(path: string): Promise<SourceKind> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new HpsError("not-found", `there is no ${path}`, { hint: "is it there, and may you see it?" });
  if (found.isDirectory()) return existsSync(join(path, "oci-layout")) ? "oci" : "dir";
  if (found.isBlockDevice()) return "disk";
  if (!found.isFile()) throw new HpsError("invalid", `${path} is neither a file nor a folder`);
  const fd = openSource(path);
  try {
    if (isDisk(headOf(fd))) return "disk";
    return isContainerImage(await firstNames(fd)) ? "oci" : "tar";
  } finally {
    closeSync(fd);
  }
}

function headOf(fd: number): Buffer {
  const head = Buffer.alloc(HEAD);
  readSync(fd, head, 0, HEAD, 0);
  return head;
}

/** qcow2, or a raw disk: its first block ends as every boot record does, or an ext file system begins behind it. */
function isDisk(head: Buffer): boolean {
  if (head.toString("latin1", 257, 262) === "ustar") return false;
  if (head.readUInt32BE(0) === 0x5146_49fb) return true;
  return head.readUInt16BE(510) === 0x55aa || head.readUInt16LE(1080) === 0xef53;
}

/** Of an archive's first two entries, as far as its first bytes show them: the first may be the root folder. */
async function firstNames(fd: number): Promise<string[]> {
  const { size } = fstatSync(fd);
  for await (const piece of unpacked(readAt(fd, 0, size))) {
    const head = Buffer.from(piece.buffer, piece.byteOffset, Math.min(piece.length, 2 * BLOCK));
    return [0, BLOCK].map((at) => nameAt(head, at)).map((name) => name.replace(/^\.\//, ""));
  }
  return [];
}

function nameAt(head: Buffer, at: number): string {
  const name = head.toString("latin1", at, at + 100);
  const end = name.indexOf("\0");
  return end === -1 ? name : name.slice(0, end);
}

/** How skopeo, docker and podman begin theirs. */
function isContainerImage(names: readonly string[]): boolean {
  const own = /^(blobs\/|oci-layout$|index\.json$|manifest\.json$|repositories$|[0-9a-f]{64}(\/|\.json$|\.tar$))/;
  const [first = "", second = ""] = names;
  return own.test(first === "" ? second : first);
}
