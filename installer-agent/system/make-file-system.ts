import { open } from "node:fs/promises";
import { espVolumeId, fileSystemId, type PartitionRole } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { ToolRun } from "./probe-disk.ts";
import { runTool } from "./tool.ts";

/** A large disk that is slow, or gives back its blocks first. */
const MAKE_MS = 10 * 60_000;

/** An empty ext4 with the UUID that this installation gives it. */
export async function makeExt4(
  role: Exclude<PartitionRole, "esp" | "bios">,
  { node, installation }: { readonly node: string; readonly installation: Uuid },
  run: ToolRun,
): Promise<void> {
  // GRUB and the kernels of older systems do not read the two features that newer tools would add.
  const features = ["-O", "^metadata_csum_seed,^orphan_file"];
  const argv = [
    "mkfs.ext4",
    "-q",
    "-F",
    "-F",
    "-U",
    fileSystemId(installation, role),
    "-L",
    `hps-${role}`,
    ...features,
  ];
  await runTool([...argv, node], { ...run, limitMs: MAKE_MS });
}

/** Where an ext4 says that it is one, and its UUID. */
const MAGIC_AT = 1024 + 0x38;
const MAGIC = 0xef53;
const ID_AT = 1024 + 0x68;

/** Whether a device begins as an ext4, sound or not: as any, or as the one with this UUID. */
export async function isExt4(node: string, id?: string): Promise<boolean> {
  await using device = await open(node, "r");
  const begin = Buffer.alloc(ID_AT + 16);
  const { bytesRead } = await device.read(begin, 0, begin.length, 0);
  if (bytesRead < begin.length || begin.readUInt16LE(MAGIC_AT) !== MAGIC) return false;
  return id === undefined || begin.toString("hex", ID_AT) === id.replaceAll("-", "");
}

/** The ESP: FAT32, which UEFI asks of a fixed disk; one sector a cluster where sectors are large, or it would be too few for it. */
export async function makeEsp(
  {
    node,
    installation,
    sectorBytes,
  }: { readonly node: string; readonly installation: Uuid; readonly sectorBytes: number },
  run: ToolRun,
): Promise<void> {
  const cluster = sectorBytes >= 4096 ? ["-s", "1"] : [];
  const id = espVolumeId(installation).replace("-", "");
  const argv = ["mkfs.vfat", "-F", "32", "-i", id, "-n", "HPS-ESP", ...cluster, node];
  await runTool(argv, { ...run, limitMs: MAKE_MS });
}
