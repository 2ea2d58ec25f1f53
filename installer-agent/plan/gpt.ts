import { crc32 } from "node:zlib";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";

/** A partition as the table has it; in sectors, both ends included. What a disk says is hostile: nothing here is checked against its size. */
export interface GptPartition {
  /** From 1: what the kernel puts behind the disk's name. */
  readonly number: number;
  readonly id: Uuid;
  readonly type: Uuid;
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

/** What a GPT header says (UEFI, section 5.3.2). */
export interface GptHeader {
  readonly diskId: Uuid;
  /** Of the partition entries, in sectors. */
  readonly entriesAt: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly entriesCrc: number;
}

const SIGNATURE = Buffer.from("EFI PART", "latin1");
const HEADER_BYTES = 92;
const MOST_ENTRIES = 1024;
const MOST_ENTRY_BYTES = 4096;
const UNUSED = "00000000-0000-0000-0000-000000000000";

/** Undefined when the sector holds no header, or one whose checksum is wrong or whose table is beyond all reason. */
export function readGptHeader(sector: Buffer): GptHeader | undefined {
  if (sector.length < HEADER_BYTES || !sector.subarray(0, 8).equals(SIGNATURE)) return undefined;
  const length = sector.readUInt32LE(12);
  if (length < HEADER_BYTES || length > sector.length) return undefined;
  const checked = Buffer.from(sector.subarray(0, length));
  checked.writeUInt32LE(0, 16);
  if (crc32(checked) !== sector.readUInt32LE(16)) return undefined;
  const entriesAt = sector.readBigUInt64LE(72);
  const entryCount = sector.readUInt32LE(80);
  const entryBytes = sector.readUInt32LE(84);
  if (entryCount > MOST_ENTRIES || entryBytes < 128 || entryBytes > MOST_ENTRY_BYTES) return undefined;
  if (entriesAt > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  const entriesCrc = sector.readUInt32LE(88);
  return { diskId: readGuid(sector, 56), entriesAt: Number(entriesAt), entryCount, entryBytes, entriesCrc };
}

/** The partitions of the table that `header` describes; undefined when the table's checksum is wrong. */
export function readGptEntries(header: GptHeader, table: Buffer): readonly GptPartition[] | undefined {
  const { entryCount, entryBytes, entriesCrc } = header;
  const length = entryCount * entryBytes;
  if (table.length < length || crc32(table.subarray(0, length)) !== entriesCrc) return undefined;
  const entries = Array.from({ length: entryCount }, (_, index) => table.subarray(index * entryBytes).subarray(0, 128));
  return entries.flatMap((entry, index) => readEntry(entry, index + 1) ?? []);
}

function readEntry(entry: Buffer, number: number): GptPartition | undefined {
  const type = readGuid(entry, 0);
  const [first, last] = [entry.readBigUInt64LE(32), entry.readBigUInt64LE(40)];
  if (type === UNUSED || last < first || last > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  const name = (entry.toString("utf16le", 56, 128).split("\0")[0] ?? "").toWellFormed();
  return { number, id: readGuid(entry, 16), type, name, first: Number(first), last: Number(last) };
}

/**
 * A header of a table without partitions for the disk's second sector: by it alone the disk is known to be `diskId`'s,
 * whatever becomes of the rest before the real table is written.
 */
export function emptyGptHeader(
  diskId: Uuid,
  { sectorBytes, sectors }: { sectorBytes: number; sectors: number },
): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  const tableSectors = (128 * 128) / sectorBytes;
  SIGNATURE.copy(sector);
  sector.writeUInt32LE(0x0001_0000, 8);
  sector.writeUInt32LE(HEADER_BYTES, 12);
  sector.writeBigUInt64LE(1n, 24);
  sector.writeBigUInt64LE(BigInt(sectors - 1), 32);
  sector.writeBigUInt64LE(BigInt(2 + tableSectors), 40);
  sector.writeBigUInt64LE(BigInt(sectors - 2 - tableSectors), 48);
  writeGuid(sector, 56, diskId);
  sector.writeBigUInt64LE(2n, 72);
  sector.writeUInt32LE(128, 80);
  sector.writeUInt32LE(128, 84);
  sector.writeUInt32LE(crc32(Buffer.alloc(128 * 128)), 88);
  sector.writeUInt32LE(crc32(sector.subarray(0, HEADER_BYTES)), 16);
  return sector;
}

/** The first three groups are little-endian numbers (UEFI, appendix A). */
function readGuid(buffer: Buffer, at: number): Uuid {
  const swapped = swapGuid(buffer.subarray(at, at + 16)).toString("hex");
  return parseUuid(swapped.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
}

function writeGuid(buffer: Buffer, at: number, guid: Uuid): void {
  swapGuid(Buffer.from(guid.replaceAll("-", ""), "hex")).copy(buffer, at);
}

function swapGuid(bytes: Buffer): Buffer {
  const [a, b, c] = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)];
  const turned = [a, b, c].map((part) => Buffer.from(part).reverse());
  return Buffer.concat([...turned, bytes.subarray(8, 16)]);
}
