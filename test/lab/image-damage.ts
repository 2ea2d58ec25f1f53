import { open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { InstallRack } from "./install-rack.ts";

/** The file of the rack's one image, as hpsd keeps it. */
export async function imageFile({ folder }: InstallRack): Promise<string> {
  const images = join(folder, "state", "images");
  const [name, ...more] = (await readdir(images)).filter((file) => /^[0-9a-f]{64}$/.test(file));
  if (name === undefined || more.length > 0) throw new Error(`${images} holds not one image`);
  return join(images, name);
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
