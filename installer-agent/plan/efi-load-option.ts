import { HpsError } from "../../proto/values/hps-error.ts";
import type { Uuid } from "../../proto/values/uuid.ts";

/** Where a GPT partition lies, as the firmware's boot entry names it. */
export interface EfiPartition {
  readonly number: number;
  /** In the disk's logical sectors. */
  readonly start: number;
  readonly sectors: number;
  /** GPT GUID of the partition. */
  readonly id: Uuid;
}

/** What a boot entry says, as far as HPS asks. */
export interface EfiLoadOption {
  readonly description: string;
  /** Of the file it starts, with backslashes; empty where it names none. */
  readonly file: string;
  /** It boots from a network. */
  readonly network: boolean;
  /** It starts a program that lies in the firmware itself: a setup menu, the EFI shell. */
  readonly builtIn: boolean;
}

/** UEFI 2.10 §3.1.3 and §10: types and subtypes of device path nodes. */
const MESSAGING = 3;
const MEDIA = 4;
const END = 0x7f;
const NETWORK: readonly number[] = [11, 12, 13, 24]; // MAC, IPv4, IPv6, URI
const HARD_DRIVE = 1;
const FILE_PATH = 4;
const FIRMWARE: readonly number[] = [6, 7]; // a file, a volume of the firmware
const ACTIVE = 1;
const HEADER_BYTES = 6;

interface Node {
  readonly type: number;
  readonly subtype: number;
  readonly data: Buffer;
}

/** The value of a Boot#### variable that starts `file` of a partition, whatever disk of the machine that is on. */
export function encodeLoadOption(description: string, partition: EfiPartition, file: string): Buffer {
  const path = Buffer.concat([
    node(MEDIA, HARD_DRIVE, hardDrive(partition)),
    node(MEDIA, FILE_PATH, utf16(file)),
    node(END, 0xff, Buffer.alloc(0)),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(ACTIVE, 0);
  header.writeUInt16LE(path.length, 4);
  return Buffer.concat([header, utf16(description), path]);
}

/** Reads a Boot#### variable; undefined for what is none. Firmware writes strange ones, so nothing is taken for granted. */
export function parseLoadOption(bytes: Buffer): EfiLoadOption | undefined {
  const end = endOfText(bytes, HEADER_BYTES);
  if (end === undefined) return undefined;
  const nodes = nodesOf(bytes.subarray(end, end + bytes.readUInt16LE(4)));
  const media = nodes.filter(({ type }) => type === MEDIA);
  const file = media.findLast(({ subtype }) => subtype === FILE_PATH)?.data.toString("utf16le") ?? "";
  return {
    description: bytes.toString("utf16le", HEADER_BYTES, end - 2),
    file: file.replace(/\0.*$/s, ""),
    network: nodes.some(({ type, subtype }) => type === MESSAGING && NETWORK.includes(subtype)),
    builtIn: media.some(({ subtype }) => FIRMWARE.includes(subtype)),
  };
}

function hardDrive({ number, start, sectors, id }: EfiPartition): Buffer {
  const data = Buffer.alloc(38);
  data.writeUInt32LE(number, 0);
  data.writeBigUInt64LE(BigInt(start), 4);
  data.writeBigUInt64LE(BigInt(sectors), 12);
  data.set(guid(id), 20);
  data.writeUInt8(2, 36); // a GUID partition table
  data.writeUInt8(2, 37); // and the signature is a GUID
  return data;
}

/** EFI writes the first three groups of a GUID with their low byte first. */
function guid(id: Uuid): Buffer {
  const bytes = Buffer.from(id.replaceAll("-", ""), "hex");
  if (bytes.length !== 16) throw new HpsError("internal", "not a GUID");
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function node(type: number, subtype: number, data: Buffer): Buffer {
  const header = Buffer.from([type, subtype, 0, 0]);
  header.writeUInt16LE(header.length + data.length, 2);
  return Buffer.concat([header, data]);
}

function nodesOf(path: Buffer): readonly Node[] {
  const nodes: Node[] = [];
  for (let at = 0; at + 4 <= path.length; ) {
    const [type = END, subtype = 0] = path.subarray(at, at + 2);
    const length = path.readUInt16LE(at + 2);
    if (type === END || length < 4) break;
    nodes.push({ type, subtype, data: path.subarray(at + 4, at + length) });
    at += length;
  }
  return nodes;
}

function utf16(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf16le");
}

/** The byte after the NUL of the text at `from`. */
function endOfText(bytes: Buffer, from: number): number | undefined {
  for (let at = from; at + 2 <= bytes.length; at += 2) if (bytes.readUInt16LE(at) === 0) return at + 2;
  return undefined;
}
