/** One header block of 512 bytes: POSIX ustar, GNU, star and the old tar of Unix V7. */
import { type ByteString, latin1 } from "../byte-string.ts";
import { damaged } from "./damage.ts";

export const BLOCK = 512;

type Dialect = "ustar" | "gnu" | "star" | "v7";

export interface RawHeader {
  readonly dialect: Dialect;
  readonly type: string;
  readonly name: ByteString;
  readonly link: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly seconds: number;
  readonly major: number;
  readonly minor: number;
}

/** The header in `block`, which begins at byte `at` of the archive; `damaged` when the checksum or a number is wrong. */
export function parseHeader(block: Buffer, at: number): RawHeader {
  checkSum(block, at);
  const number = (from: number, length: number, what: string) =>
    parseNumber(block.subarray(from, from + length), at, what);
  const dialect = dialectOf(block);
  const type = String.fromCharCode(block[156] ?? 0);
  const isDevice = type === "3" || type === "4";
  return {
    dialect,
    type,
    name: nameOf(block, dialect),
    link: text(block, 157, 100),
    mode: number(100, 8, "mode") & 0o7777,
    uid: number(108, 8, "uid"),
    gid: number(116, 8, "gid"),
    size: number(124, 12, "size"),
    seconds: number(136, 12, "time"),
    major: isDevice ? number(329, 8, "device number") : 0,
    minor: isDevice ? number(337, 8, "device number") : 0,
  };
}

export function isZeroBlock(block: Buffer): boolean {
  return block.equals(ZEROS);
}

const NOTHING = latin1("");
const ZEROS = Buffer.alloc(BLOCK);

/** Zero or space ended octal, or base 256 when the first bit is set: then two's complement, for what is large or negative. */
export function parseNumber(field: Buffer, at: number, what: string): number {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) return parseBase256(field, at, what);
  let index = 0;
  while (field[index] === SPACE) index += 1;
  let value = 0;
  for (; isOctal(field[index]); index += 1) value = value * 8 + ((field[index] ?? 0) - ZERO);
  for (; index < field.length; index += 1) {
    if (field[index] !== SPACE && field[index] !== 0) throw damaged({ at }, `its ${what} is no number`);
  }
  return value;
}

const SPACE = 0x20;
const ZERO = 0x30;

function isOctal(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte < ZERO + 8;
}

function parseBase256(field: Buffer, at: number, what: string): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = BigInt((field[0] ?? 0) & 0x7f) - (negative ? 0x80n : 0n);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw damaged({ at }, `its ${what} is beyond all bounds`);
  return number;
}

/** The sum of all bytes with the checksum's own field as spaces. Some old tars summed signed bytes. */
function checkSum(block: Buffer, at: number): void {
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let index = 0; index < BLOCK; index++) {
    if (index === 148) index = 156;
    const byte = block[index] ?? 0;
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const stored = parseNumber(block.subarray(148, 156), at, "checksum");
  if (stored !== unsigned && stored !== signed) throw damaged({ at }, "no header, or one whose checksum is wrong");
}

function dialectOf(block: Buffer): Dialect {
  const magic = block.toString("latin1", 257, 265);
  if (magic.startsWith("ustar  ")) return "gnu";
  if (!magic.startsWith("ustar")) return "v7";
  return block.toString("latin1", 508, 512) === "tar\0" ? "star" : "ustar";
}

/** GNU tar keeps other things where POSIX has the name's prefix; star keeps times in the last part of it. */
function nameOf(block: Buffer, dialect: Dialect): ByteString {
  const name = text(block, 0, 100);
  if (dialect === "gnu" || dialect === "v7") return name;
  const prefix = text(block, 345, dialect === "star" ? 131 : 155);
  return prefix === "" ? name : latin1(`${prefix}/${name}`);
}

function text(block: Buffer, from: number, length: number): ByteString {
  if (block[from] === 0) return NOTHING;
  const end = block.indexOf(0, from);
  return latin1(block.toString("latin1", from, end === -1 ? from + length : Math.min(end, from + length)));
}
