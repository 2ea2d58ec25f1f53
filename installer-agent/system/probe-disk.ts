import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { diskId } from "../../proto/values/layout-ids.ts";
import { quote, safeText } from "../../proto/values/safe-text.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { Disk } from "../plan/disk-choice.ts";
import type { DiskContents } from "../plan/wipe-permission.ts";
import { type DevicePlace, deviceOf, nodeOf } from "./installation-disk.ts";
import { readMounts } from "./mounts.ts";
import { type Device, readBytes, readGpt } from "./read-gpt.ts";
import { listSysfs, readSysfsNumber, readSysfsText } from "./sysfs.ts";
import { runTool, type ToolOptions } from "./tool.ts";

/** What a probe runs programs with. */
export type ToolRun = Pick<ToolOptions, "signal" | "log">;

const PROBE_MS = 60_000;
const MIB = 1024 ** 2;
const MOST_PARTITIONS = 32;

/** Looks, without writing, at what is on a disk and who uses it. */
export async function probeDisk(
  disk: Disk,
  installation: Uuid,
  place: DevicePlace,
  run: ToolRun,
): Promise<DiskContents> {
  const device = deviceOf(disk, place);
  const gpt = await readGpt(device);
  const partitions = await partitionsOf(disk.name, place.sys);
  const found: string[] = await signaturesOf(device.node, run);
  for (const name of partitions) {
    for (const what of await signaturesOf(nodeOf(name, place.dev), run)) found.push(`${name}: ${what}`);
  }
  const ends = found.length > 0 ? [] : await bytesAtEnds(device);
  const uses = await Promise.all([disk.name, ...partitions].map((name) => usesOf(name, place.sys)));
  return { own: gpt?.diskId === diskId(installation), findings: [...new Set([...found, ...ends])], uses: uses.flat() };
}

/** The kernel's names of the partitions of a disk. */
export async function partitionsOf(disk: string, sys: string): Promise<readonly string[]> {
  const folder = join(sys, "block", disk);
  const names = (await listSysfs(folder)).filter((name) => name.startsWith(disk));
  const numbers = await Promise.all(names.map((name) => readSysfsNumber(join(folder, name, "partition"))));
  return names.filter((_, index) => numbers[index] !== undefined).slice(0, MOST_PARTITIONS);
}

const signatures = z.object({ signatures: z.array(z.object({ type: z.string(), label: z.string().nullish() })) });

/** What libblkid recognizes: tables, file systems, members of arrays. */
async function signaturesOf(node: string, run: ToolRun): Promise<string[]> {
  const text = await runTool(["wipefs", "--json", node], { ...run, limitMs: PROBE_MS, quiet: true });
  if (text.trim() === "") return [];
  return signatures.parse(JSON.parse(text)).signatures.map(({ type, label }) => {
    const name = label ? ` named ${quote(label, 32)}` : "";
    return ["gpt", "dos", "PMBR"].includes(type)
      ? `a partition table (${type})`
      : `${safeText(type).slice(0, 32)}${name}`;
  });
}

/** Where boot loaders and unknown systems leave their marks. */
async function bytesAtEnds(device: Device): Promise<readonly string[]> {
  const first = await readBytes(device, 0, Math.min(MIB, device.sizeBytes));
  const last = await readBytes(device, Math.max(0, device.sizeBytes - MIB), MIB);
  return [
    ...(isZero(first) ? [] : ["something unknown in its first MiB"]),
    ...(isZero(last) ? [] : ["something unknown in its last MiB"]),
  ];
}

function isZero(bytes: Buffer): boolean {
  return bytes.equals(Buffer.alloc(bytes.length));
}

async function usesOf(name: string, sys: string): Promise<string[]> {
  const folder = join(sys, "class/block", name);
  const device = await readSysfsText(join(folder, "dev"));
  const mounts = (await readMounts()).filter((mount) => mount.device === device);
  const swaps = (await readFile("/proc/swaps", "utf8").catch(() => "")).split("\n");
  return [
    ...mounts.map(({ place }) => `${name} is mounted at ${quote(place)}`),
    ...(await listSysfs(join(folder, "holders"))).map((holder) => `${name} is part of ${safeText(holder)}`),
    ...(swaps.some((line) => line.startsWith(`/dev/${name} `)) ? [`${name} is swap space`] : []),
    ...((await readSysfsNumber(join(folder, "ro"))) === 1 ? [`${name} cannot be written`] : []),
  ];
}
