/** How large an installer is, and what in it is. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { parseBlockHeader, parseFrameHeader } from "../../proto/tree/compression/zstd-frame.ts";
import { type Row, row } from "./row.ts";

const MEGABYTE = 1_000_000;
/** The archives of an initrd, in their order (client/build/installer/installer-image.ts). */
const PARTS = ["busybox and start-up", "drivers", "Node", "the agent"];

/** Rows of an installer set's files. */
export function sizeRows(set: string): readonly Row[] {
  const megabytes = (name: string) => statSync(path.join(set, name)).size / MEGABYTE;
  const [kernel, initrd] = [megabytes("kernel"), megabytes("initrd.img")];
  const parts = frameSizes(readFileSync(path.join(set, "initrd.img")));
  return [
    row("kernel and initramfs", kernel + initrd, "MB", { budget: 64 }),
    row("of that: kernel", kernel, "MB"),
    ...PARTS.map((name, at) => row(`of that: ${name}`, (parts[at] ?? Number.NaN) / MEGABYTE, "MB")),
    row("tools image", megabytes("tools.squashfs"), "MB", { budget: 24 }),
  ];
}

/** Of one zstd frame after the other, with zero bytes between them. */
function frameSizes(file: Buffer): readonly number[] {
  const sizes: number[] = [];
  for (let at = 0; at < file.length; ) {
    const begin = at;
    const header = parseFrameHeader(file.subarray(at), at);
    at += header.size;
    for (let last = false; !last; ) {
      const block = parseBlockHeader(file.subarray(at), at);
      at += 3 + block.size;
      last = block.last;
    }
    if (header.hasChecksum) at += 4;
    sizes.push(at - begin);
    while (at < file.length && file[at] === 0) at += 1;
  }
  return sizes;
}
