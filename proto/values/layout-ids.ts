import { createHash } from "node:crypto";
import { parseUuid, type Uuid } from "./uuid.ts";

/** The partitions of a disk that HPS laid out; a slot is a boot partition and a root file system that belong together. */
export const PARTITION_ROLES = ["esp", "bios", "boot-a", "boot-b", "root-a", "root-b", "state"] as const;
export type PartitionRole = (typeof PARTITION_ROLES)[number];

/** What the disk's GPT carries as its own GUID: by it a disk is known to be this installation's. */
export function diskId(installation: Uuid): Uuid {
  return installation;
}

/** The GPT GUID of one partition. */
export function partitionId(installation: Uuid, role: PartitionRole): Uuid {
  return derivedUuid(installation, `partition ${role}`);
}

/** The UUID of the file system in it. Server and installer derive the same one, so nobody has to be told. */
export function fileSystemId(installation: Uuid, role: Exclude<PartitionRole, "esp" | "bios">): Uuid {
  return derivedUuid(installation, `file system ${role}`);
}

/** The ESP's FAT volume id as blkid and GRUB print it: `1A2B-3C4D`. */
export function espVolumeId(installation: Uuid): string {
  const hex = digest(installation, "file system esp").subarray(0, 4).toString("hex").toUpperCase();
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

function digest(installation: Uuid, what: string): Buffer {
  return createHash("sha256").update(`hps layout 1\0${installation}\0${what}`).digest();
}

/** A UUID of version 8 (RFC 9562 §5.8): our own bits, its version and variant. */
function derivedUuid(installation: Uuid, what: string): Uuid {
  const bytes = digest(installation, what).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return parseUuid([hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-"));
}
