import { closeSync, openSync, readSync } from "node:fs";
import { HpsError } from "../../../proto/values/hps-error.ts";

/*
 * As much of ELF as a build needs: which libraries a program names, and where what is loaded of it ends. 64 bits, little-endian.
 * https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
 */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const HEADER = 64;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly size: number;
}

/** Names of the libraries a program or library wants loaded; none for what is linked statically. */
export function neededLibraries(path: string): readonly string[] {
  const file = openSync(path, "r");
  try {
    const segments = readSegments(file);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    if (dynamic === undefined) return [];
    const table = readAt(file, dynamic.offset, dynamic.size);
    const rows = Array.from({ length: Math.floor(table.length / 16) }, (_, index) => ({
      tag: table.readBigUInt64LE(index * 16),
      value: table.readBigUInt64LE(index * 16 + 8),
    }));
    const strings = rows.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0n;
    return rows
      .filter(({ tag }) => tag === DT_NEEDED)
      .map(({ value }) => stringAt(file, offsetOf(segments, strings + value)));
  } finally {
    closeSync(file);
  }
}

/** A program without what is never loaded, debugging data and symbols: its length up to the end of the last loaded byte, and no section table. */
export function stripped(program: Buffer): Buffer {
  const end = Math.max(
    ...segmentsOf(program)
      .filter(({ type }) => type === PT_LOAD)
      .map(({ offset, size }) => offset + size),
  );
  const kept = Buffer.from(program.subarray(0, end));
  kept.writeBigUInt64LE(0n, 40); // e_shoff
  kept.fill(0, 58, HEADER); // e_shentsize, e_shnum, e_shstrndx
  return kept;
}

function readSegments(file: number): Segment[] {
  const header = readAt(file, 0, HEADER);
  const end = Number(header.readBigUInt64LE(32)) + header.readUInt16LE(54) * header.readUInt16LE(56);
  return segmentsOf(readAt(file, 0, end));
}

function segmentsOf(bytes: Buffer): Segment[] {
  if (bytes.subarray(0, 6).toString("latin1") !== "\x7fELF\x02\x01")
    throw new HpsError("invalid", "not an ELF file of 64 bits");
  const [at, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => {
    const row = bytes.subarray(at + index * size, at + (index + 1) * size);
    return {
      type: row.readUInt32LE(0),
      offset: Number(row.readBigUInt64LE(8)),
      address: row.readBigUInt64LE(16),
      size: Number(row.readBigUInt64LE(32)),
    };
  });
}

function offsetOf(segments: readonly Segment[], address: bigint): number {
  const segment = segments.find(
    ({ type, address: start, size }) => type === PT_LOAD && address >= start && address < start + BigInt(size),
  );
  if (segment === undefined) throw new HpsError("invalid", "an ELF file names its libraries outside of what is loaded");
  return segment.offset + Number(address - segment.address);
}

function stringAt(file: number, offset: number): string {
  const bytes = readAt(file, offset, 256);
  return bytes.subarray(0, bytes.indexOf(0)).toString("latin1");
}

function readAt(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
}
