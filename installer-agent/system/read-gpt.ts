import { open } from "node:fs/promises";
import type { Uuid } from "../../proto/values/uuid.ts";
import { type GptPartition, readGptEntries, readGptHeader } from "../plan/gpt.ts";

/** What a device is, for reading it in sectors. */
export interface Device {
  /** `/dev/sda`. */
  readonly node: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

export interface Gpt {
  readonly diskId: Uuid;
  /** Undefined where the header is whole and its table is not. */
  readonly partitions: readonly GptPartition[] | undefined;
}

/** The partition table by its first copy, else by the one at the disk's end; undefined where neither is a GPT's. */
export async function readGpt(device: Device): Promise<Gpt | undefined> {
  const last = Math.floor(device.sizeBytes / device.sectorBytes) - 1;
  const [first, second] = [await readCopy(device, 1), await readCopy(device, last)];
  return [first, second].find((copy) => copy?.partitions !== undefined) ?? first ?? second;
}

async function readCopy(device: Device, sector: number): Promise<Gpt | undefined> {
  const { sectorBytes } = device;
  const header = readGptHeader(await readBytes(device, sector * sectorBytes, sectorBytes));
  if (header === undefined) return undefined;
  const { diskId, entriesAt, entryCount, entryBytes } = header;
  const table = await readBytes(device, entriesAt * sectorBytes, entryCount * entryBytes);
  return { diskId, partitions: readGptEntries(header, table) };
}

/** Shorter where the device ends. */
export async function readBytes({ node }: Pick<Device, "node">, at: number, length: number): Promise<Buffer> {
  await using file = await open(node, "r");
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
