/** Maps of sparse files: where the stored bytes belong. Four formats, one result. */
import { latin1, splitBytes } from "../byte-string.ts";
import type { Segment } from "../native/files.ts";
import { damaged, type Place } from "./damage.ts";
import { BLOCK, parseNumber } from "./header.ts";
import { type PaxRecords, paxNumber } from "./pax.ts";

/** More pieces than any file needs that we could keep in memory. */
const MOST_SEGMENTS = 1 << 20;

/** `segments` in order, without empty ones; `damaged` unless they lie one after the other in a file of `size` and hold `stored` bytes. */
export function checkedSegments(segments: readonly Segment[], size: number, stored: number, place: Place): Segment[] {
  let end = 0;
  let total = 0;
  for (const segment of segments) {
    if (segment.offset < end) throw damaged(place, "the pieces of its sparse file overlap or are out of order");
    end = segment.offset + segment.size;
    total += segment.size;
  }
  if (size < 0 || end > size || !Number.isSafeInteger(end))
    throw damaged(place, "the pieces of its sparse file pass its end");
  if (total !== stored) throw damaged(place, `its sparse file stores ${stored} bytes for pieces of ${total}`);
  return segments.filter((segment) => segment.size > 0);
}

/** The pieces that the four or twenty-one slots of an old GNU block name, from byte `from` on. */
export function gnuSegments(block: Buffer, from: number, slots: number, at: number): Segment[] {
  const segments: Segment[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const start = from + slot * 24;
    if (block[start + 12] === 0) break;
    segments.push({
      offset: parseNumber(block.subarray(start, start + 12), at, "sparse map"),
      size: parseNumber(block.subarray(start + 12, start + 24), at, "sparse map"),
    });
  }
  if (segments.some(({ offset, size }) => offset < 0 || size < 0)) throw damaged({ at }, "its sparse map is negative");
  return segments;
}

export function checkSegmentCount(count: number, place: Place): void {
  if (count > MOST_SEGMENTS) throw damaged(place, `its sparse file has more than ${MOST_SEGMENTS} pieces`);
}

/** GNU's formats 0.0 (repeated keys) and 0.1 (one list); undefined when the records describe no such file. */
export function paxSegments(records: PaxRecords, place: Place): Segment[] | undefined {
  const map = records.values.get("GNU.sparse.map");
  const numbers = map === undefined ? records.sparse : splitBytes(map, ",");
  if (numbers.length === 0) return undefined;
  return pairs(
    numbers.map((number) => paxNumber(number, place, "sparse map")),
    place,
  );
}

function pairs(numbers: readonly number[], place: Place): Segment[] {
  if (numbers.length % 2 !== 0) throw damaged(place, "its sparse map has half a piece");
  checkSegmentCount(numbers.length / 2, place);
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    offset: numbers[2 * index] ?? 0,
    size: numbers[2 * index + 1] ?? 0,
  }));
}

/** Reads the map that GNU's format 1.0 puts before the content: decimal lines, the first counts the pairs, in whole blocks. */
export class SparseMapReader {
  readonly #place: Place;
  #line = "";
  #numbers: number[] = [];
  #wanted = 1;
  /** Bytes of the map so far: whole blocks. */
  size = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Takes the next block; the pieces when it was the last. */
  add(block: Buffer): Segment[] | undefined {
    this.size += BLOCK;
    for (const byte of block) {
      if (byte === 0x0a) this.#endLine();
      else this.#line += String.fromCharCode(byte);
      if (this.#line.length > 20) throw damaged(this.#place, "its sparse map is no list of numbers");
      if (this.#numbers.length === this.#wanted) return pairs(this.#numbers.slice(1), this.#place);
    }
    return undefined;
  }

  #endLine(): void {
    const number = paxNumber(latin1(this.#line), this.#place, "sparse map");
    if (this.#numbers.length === 0) {
      checkSegmentCount(number, this.#place);
      this.#wanted = 1 + 2 * number;
    }
    this.#numbers.push(number);
    this.#line = "";
  }
}

/** Puts stored bytes where they belong: gives each piece its offset. */
export class Scatter {
  readonly #segments: readonly Segment[];
  readonly #place: (bytes: Buffer, offset: number) => void;
  #index = 0;
  #within = 0;

  /** `segments` hold exactly the bytes that will be added, and none is empty. */
  constructor(segments: readonly Segment[], place: (bytes: Buffer, offset: number) => void) {
    this.#segments = segments;
    this.#place = place;
  }

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const segment = this.#segments[this.#index];
      if (segment === undefined) return;
      const taken = Math.min(segment.size - this.#within, bytes.length - at);
      this.#place(bytes.subarray(at, at + taken), segment.offset + this.#within);
      at += taken;
      this.#within += taken;
      if (this.#within === segment.size) {
        this.#index += 1;
        this.#within = 0;
      }
    }
  }
}
