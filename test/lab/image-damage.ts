import { open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { InstallRack } from "./install-rack.ts";

/** The file that the rack's one image is read from, as hpsd keeps it. */
export async function imageFile({ folder }: InstallRack): Promise<string> {
  const packs = join(folder, "state", "images", "packs");
  const [name, ...more] = await readdir(packs);
  if (name === undefined || more.length > 0) throw new Error(`${packs} holds not one pack`);
  return join(packs, name);
}

/** One in the middle. */
export async function alterByte(file: string): Promise<void> {
  await using handle = await open(file, "r+");
  const at = Math.floor((await handle.stat()).size / 2);
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8() ^ 0x01);
  await handle.write(byte, 0, 1, at);
}

export async function cutInHalf(file: string): Promise<void> {
  await truncate(file, Math.floor((await stat(file)).size / 2));
}
