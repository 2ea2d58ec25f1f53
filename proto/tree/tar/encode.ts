/** Headers of one entry as bytes: ustar, with an extended header of pax where ustar has no room. The same entry gives the same bytes. */
import { ACL_ACCESS, ACL_DEFAULT, aclText } from "../acl.ts";
import { type ByteString, bytesOf, latin1 } from "../byte-string.ts";
import type { Segment } from "../native/files.ts";
import type { TarEntry } from "./entry.ts";
import { BLOCK } from "./header.ts";

export type NewEntry = Omit<TarEntry, "at" | "acls">;

const TYPE_LETTERS = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const;

const BILLION = 1_000_000_000n;
const SEVEN_DIGITS = 0o7777777;
const ELEVEN_DIGITS = 0o77777777777;

/** What precedes the content of `entry`: its headers and the map of a sparse file. The content is its segments, then `paddingOf` them. */
export function encodeEntry(entry: NewEntry): Buffer {
  const map = entry.segments === undefined ? Buffer.alloc(0) : sparseMap(entry.segments, entry.size);
  const stored = map.length + storedBytes(entry);
  const records = Buffer.concat(recordsOf(entry, stored).map(([key, value]) => record(key, value)));
  const before = records.length === 0 ? [] : [paxHeader(records.length), records, paddingOf(records.length)];
  return Buffer.concat([...before, header(entry, stored), map]);
}

/**
 * The same for readers that know no extended headers (busybox): long names in entries of their own, as GNU tar writes them. What
 * has no room is left out: attributes, holes, fractions of a second.
 */
export function encodeGnuEntry(entry: NewEntry): Buffer {
  const { path, link, mode, uid, gid, mtime, major, minor, type } = entry;
  const seconds = mtime < 0n ? 0 : Number(mtime / BILLION);
  const own = block({
    ...{ name: latin1(path.slice(0, 100)), link: latin1(link.slice(0, 100)), letter: TYPE_LETTERS[type] },
    ...{ size: storedBytes(entry), mode, uid, gid, seconds, major, minor },
  });
  return Buffer.concat([...longName("L", path), ...longName("K", link), own]);
}

function longName(letter: "L" | "K", name: ByteString): Buffer[] {
  if (name.length <= 100) return [];
  const content = Buffer.concat([bytesOf(name), Buffer.alloc(1)]);
  const numbers = { size: content.length, mode: 0, uid: 0, gid: 0, seconds: 0, major: 0, minor: 0 };
  const header = block({ name: latin1("././@LongLink"), link: latin1(""), letter, ...numbers });
  return [header, content, paddingOf(content.length)];
}

/** Two blocks of zeros. */
export const END_MARK = Buffer.alloc(2 * BLOCK);

/** Zeros to the end of the last block of `size` bytes. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Content in the archive, without the map of a sparse file. */
export function storedBytes({ type, size, segments }: NewEntry): number {
  if (type !== "file") return 0;
  return segments === undefined ? size : segments.reduce((sum, segment) => sum + segment.size, 0);
}

/** GNU's format 1.0. Of a file that ends in a hole GNU tar learns the size by an empty piece at its end. */
function sparseMap(segments: readonly Segment[], size: number): Buffer {
  const last = segments.at(-1) ?? { offset: 0, size: 0 };
  const pieces = last.offset + last.size < size ? [...segments, { offset: size, size: 0 }] : segments;
  const lines = [pieces.length, ...pieces.flatMap((piece) => [piece.offset, piece.size])];
  const text = Buffer.from(`${lines.join("\n")}\n`);
  return Buffer.concat([text, paddingOf(text.length)]);
}

function recordsOf(entry: NewEntry, stored: number): (readonly [key: string, value: ByteString])[] {
  const records: (readonly [string, ByteString])[] = [];
  const add = (key: string, value: string | number) => records.push([key, latin1(String(value))]);
  if (entry.segments !== undefined) {
    add("GNU.sparse.major", 1);
    add("GNU.sparse.minor", 0);
    add("GNU.sparse.name", entry.path);
    add("GNU.sparse.realsize", entry.size);
  } else if (entry.path.length > 100) add("path", entry.path);
  if (entry.link.length > 100) add("linkpath", entry.link);
  if (stored > ELEVEN_DIGITS) add("size", stored);
  if (entry.uid > SEVEN_DIGITS) add("uid", entry.uid);
  if (entry.gid > SEVEN_DIGITS) add("gid", entry.gid);
  if (entry.mtime % BILLION !== 0n || !fitsHeader(entry.mtime)) add("mtime", decimalSeconds(entry.mtime));
  for (const { name, value } of entry.xattrs) {
    const text = name === ACL_ACCESS || name === ACL_DEFAULT ? aclText(value) : undefined;
    if (text === undefined) add(`SCHILY.xattr.${encodeKeyword(name)}`, Buffer.from(value).toString("latin1"));
    else add(name === ACL_ACCESS ? "SCHILY.acl.access" : "SCHILY.acl.default", text);
  }
  return records;
}

/** A record's key ends at its first "=": GNU tar writes it in a name so. */
function encodeKeyword(name: ByteString): string {
  return name.replaceAll("%", "%25").replaceAll("=", "%3D");
}

function decimalSeconds(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  const fraction = String(absolute % BILLION).padStart(9, "0");
  return `${ns < 0n ? "-" : ""}${absolute / BILLION}.${fraction}`;
}

function fitsHeader(ns: bigint): boolean {
  return ns >= 0n && ns / BILLION <= BigInt(ELEVEN_DIGITS);
}

/** Its length counts itself. */
function record(key: string, value: ByteString): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`, "latin1");
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function paxHeader(size: number): Buffer {
  const name = latin1("PaxHeader");
  return block({
    name,
    letter: "x",
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    seconds: 0,
    link: latin1(""),
    major: 0,
    minor: 0,
  });
}

function header(entry: NewEntry, stored: number): Buffer {
  const { path, uid, gid, mtime, mode, link, major, minor } = entry;
  return block({
    name: latin1((entry.segments === undefined ? path : `GNUSparseFile.0/${path}`).slice(0, 100)),
    letter: TYPE_LETTERS[entry.type],
    size: stored > ELEVEN_DIGITS ? 0 : stored,
    mode,
    uid: uid > SEVEN_DIGITS ? 0 : uid,
    gid: gid > SEVEN_DIGITS ? 0 : gid,
    seconds: fitsHeader(mtime) ? Number(mtime / BILLION) : 0,
    link: latin1(link.slice(0, 100)),
    major,
    minor,
  });
}

interface BlockFields {
  readonly name: ByteString;
  readonly letter: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly link: ByteString;
  readonly major: number;
  readonly minor: number;
}

function block(fields: BlockFields): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) => {
    const digits = value.toString(8).padStart(length - 1, "0");
    if (digits.length < length) bytes.write(digits, at, "latin1");
    else writeBase256(bytes.subarray(at, at + length), value);
  };
  bytesOf(fields.name).copy(bytes, 0);
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.seconds, 136, 12);
  bytes.fill(" ", 148, 156);
  bytes.write(fields.letter, 156, "latin1");
  bytesOf(fields.link).copy(bytes, 157);
  bytes.write("ustar\x0000", 257, "latin1");
  octal(fields.major, 329, 8);
  octal(fields.minor, 337, 8);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

/** For what is too large for its octal digits: all of the field, the first bit set. */
function writeBase256(field: Buffer, value: number): void {
  let rest = BigInt(value);
  for (let at = field.length - 1; at >= 0; at -= 1) {
    field[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] ?? 0) | 0x80;
}
