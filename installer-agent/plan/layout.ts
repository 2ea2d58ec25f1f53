import { HpsError } from "../../proto/values/hps-error.ts";
import { diskId, PARTITION_ROLES, type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import { formatSize, roundSize } from "../../proto/values/size.ts";
import type { Uuid } from "../../proto/values/uuid.ts";

/** One partition to be made; in sectors. */
interface PlannedPartition {
  readonly role: PartitionRole;
  readonly start: number;
  readonly sectors: number;
  readonly id: Uuid;
}

/** The partitions of a disk, in their order: the first has number 1. What follows them stays unallocated. */
export interface Layout {
  readonly diskId: Uuid;
  readonly sectorBytes: number;
  readonly partitions: readonly PlannedPartition[];
}

interface LayoutOrder {
  readonly installation: Uuid;
  readonly diskBytes: number;
  readonly sectorBytes: number;
  /** Undefined: the larger of 8 GiB and twice the image. */
  readonly rootBytes: number | undefined;
  /** Of the image's regular files, and how many entries it has. */
  readonly contentBytes: number;
  readonly entries: number;
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const DEFAULT_ROOT = 8 * GIB;
/** Before the first partition, and at the end for the second copy of the table. */
const MARGIN = MIB;

/** Where each partition goes, on whole MiB; `precondition` when the disk or the root file system is too small. */
export function planLayout(order: LayoutOrder): Layout {
  const { installation, diskBytes, sectorBytes } = order;
  const sizes = sizesFor(rootSize(order));
  const needed = 2 * MARGIN + PARTITION_ROLES.reduce((sum, role) => sum + sizes[role], 0);
  if (diskBytes < needed) throw tooSmall(needed, order);
  let at = MARGIN;
  const partitions = PARTITION_ROLES.map((role) => {
    const start = at;
    at += sizes[role];
    const id = partitionId(installation, role);
    return { role, start: start / sectorBytes, sectors: sizes[role] / sectorBytes, id };
  });
  return { diskId: diskId(installation), sectorBytes, partitions };
}

function sizesFor(root: number): Readonly<Record<PartitionRole, number>> {
  const boot = GIB;
  return {
    ...{ esp: 512 * MIB, bios: MIB, "boot-a": boot, "boot-b": boot, "root-a": root, "root-b": root },
    state: GIB,
  };
}

function rootSize({ rootBytes, contentBytes, entries }: LayoutOrder): number {
  const asked = rootBytes ?? Math.max(DEFAULT_ROOT, 2 * contentBytes);
  const size = Math.ceil(asked / MIB) * MIB;
  const least = Math.ceil(leastRoot(contentBytes, entries) / MIB) * MIB;
  if (size >= least) return size;
  throw new HpsError(
    "precondition",
    `a root file system of ${formatSize(size)} cannot hold this image, which needs ${formatSize(least)}`,
    { hint: `install with --root-size ${formatSize(least)} or more, or without --root-size` },
  );
}

/** Content, half a block for the end of each file and its inode, and what ext4 keeps for itself: journal, tables, reserve. */
function leastRoot(contentBytes: number, entries: number): number {
  return (contentBytes + entries * (2048 + 256)) * 1.08 + 192 * MIB;
}

function tooSmall(needed: number, { diskBytes, rootBytes, contentBytes }: LayoutOrder): HpsError {
  const why = rootBytes === undefined ? `for an image of ${roundSize(contentBytes)}` : "for that --root-size";
  return new HpsError(
    "precondition",
    `the disk is too small: it has ${roundSize(diskBytes)} (${diskBytes} bytes), ${roundSize(needed)} (${needed} bytes) are needed ${why}`,
    { hint: "choose a larger disk with --disk, or smaller root file systems with --root-size" },
  );
}

const LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const TYPES: Partial<Record<PartitionRole, string>> = {
  esp: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
  bios: "21686148-6449-6E6F-744E-656564454649",
};

/** What sfdisk is told; every number and UUID is said outright, so that it has nothing to choose. */
export function sfdiskScript({ diskId: id, sectorBytes, partitions }: Layout): string {
  const lines = partitions.map(({ role, start, sectors, id: own }) => {
    const type = TYPES[role] ?? LINUX;
    return `start=${start}, size=${sectors}, type=${type}, uuid=${own.toUpperCase()}, name="hps ${role}"`;
  });
  const head = ["label: gpt", `label-id: ${id.toUpperCase()}`, "unit: sectors", `sector-size: ${sectorBytes}`];
  return `${[...head, "", ...lines].join("\n")}\n`;
}

/** The kernel's name of a partition: `sda3`, `nvme0n1p3`. */
export function partitionName(disk: string, number: number): string {
  return `${disk}${/\d$/.test(disk) ? "p" : ""}${number}`;
}
