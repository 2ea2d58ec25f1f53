import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { Pieces } from "./pieces.ts";

/** What one file system has to take. */
export interface Need {
  /** Where it is mounted, below the tree's root. */
  readonly mount: ByteString;
  bytes: number;
  inodes: number;
}

const BLOCK = 4096;
/** A shorter link lies in its inode. */
const SHORTEST_LINK_OUTSIDE = 60;

/** The room that is needed on each file system for what is not there yet, by ext4's blocks. `mounts` are below the root, which "" stands for. */
export function spaceNeeded(pieces: Pieces, mounts: readonly ByteString[]): Need[] {
  const needs = mounts.map((mount): Need => ({ mount, bytes: 0, inodes: 0 }));
  const deepestFirst = needs.toSorted((one, other) => other.mount.length - one.mount.length);
  let number = -1;
  for (const entry of pieces.manifest.entries()) {
    number += 1;
    const need = deepestFirst.find(({ mount }) => mount === "" || entry.path.startsWith(`${mount}/`));
    if (need === undefined || entry.type === "hardlink") continue;
    need.inodes += 1;
    if (entry.type === "directory") need.bytes += BLOCK;
    else if (entry.type === "symlink") need.bytes += entry.link.length < SHORTEST_LINK_OUTSIDE ? 0 : BLOCK;
    else need.bytes += lackingBytes(pieces, number);
  }
  return needs;
}

function lackingBytes(pieces: Pieces, entry: number): number {
  const [from, to] = pieces.ofEntry(entry);
  let bytes = 0;
  for (let piece = from; piece < to; piece += 1) {
    if (pieces.isGood(piece)) continue;
    bytes += Math.ceil(pieces.lengthOf(piece) / BLOCK) * BLOCK;
  }
  return bytes;
}
