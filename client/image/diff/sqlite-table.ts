/**
 * Rows of a table of an SQLite database that somebody else made (https://www.sqlite.org/fileformat.html): no library that runs what such a
 * file says is given it. Each page is read once at most, and all rows together are no longer than the file: nothing takes longer.
 */
import { HpsError } from "../../../proto/values/hps-error.ts";

/** A column of a row; numbers are not read. */
export type SqliteValue = string | Buffer | undefined;

const MAGIC = "SQLite format 3\0";
/** Where the tree of page 1 begins; of others at 0. */
const FILE_HEADER = 100;
const [INTERIOR, LEAF] = [0x05, 0x0d];
/** Deeper trees would need more pages than a file can have. */
const DEEPEST = 20;
const UTF8 = 1;
/** Its place in the page, its length, its number. */
const LEAST_CELL = 4;
const ROOT_COLUMN = 3;

/** Its rows in the order of their ids; none when there is no such table. `invalid` for what is no such database. */
export function* tableRows(file: Buffer, table: string): Generator<readonly SqliteValue[]> {
  const pages = new Pages(file);
  for (const record of pages.records(1)) {
    const [type, name] = valuesOf(record);
    if (type !== "table" || name !== table) continue;
    const root = integerAt(record, ROOT_COLUMN);
    for (const row of pages.records(root)) yield valuesOf(row);
    return;
  }
}

class Pages {
  readonly #file: Buffer;
  readonly #size: number;
  /** Of each page what is used by SQLite. */
  readonly #usable: number;
  readonly #seen = new Set<number>();
  /** Of all rows so far, each with what it takes at least: cells of a page may lie over each other. */
  #given = 0;

  constructor(file: Buffer) {
    if (file.length < 512 || file.toString("latin1", 0, MAGIC.length) !== MAGIC)
      throw damaged("it does not begin as one");
    const said = file.readUInt16BE(16);
    this.#size = said === 1 ? 65_536 : said;
    this.#usable = this.#size - file.readUInt8(20);
    const isPower = this.#size >= 512 && (this.#size & (this.#size - 1)) === 0;
    if (!isPower || this.#usable < 480) throw damaged(`it has pages of ${this.#size} bytes`);
    if (file.readUInt32BE(56) > UTF8) throw damaged("its texts are not UTF-8");
    this.#file = file;
  }

  /** What the tree below a page holds. */
  *records(root: number, depth = 0): Generator<Buffer> {
    if (depth > DEEPEST) throw damaged("its trees are too deep");
    const page = this.#page(root);
    const start = root === 1 ? FILE_HEADER : 0;
    const type = page.readUInt8(start);
    if (type !== INTERIOR && type !== LEAF) throw damaged(`page ${root} is of no table`);
    const pointers = start + (type === LEAF ? 8 : 12);
    const count = page.readUInt16BE(start + 3);
    if (pointers + count * 2 > this.#usable) throw damaged(`page ${root} is too full`);
    for (let cell = 0; cell < count; cell += 1) {
      const at = page.readUInt16BE(pointers + cell * 2);
      if (at + 4 > this.#usable) throw damaged(`a cell of page ${root} is beyond it`);
      if (type === LEAF) yield this.#payload(page, at);
      else yield* this.records(page.readUInt32BE(at), depth + 1);
    }
    if (type === INTERIOR) yield* this.records(page.readUInt32BE(start + 8), depth + 1);
  }

  #page(number: number): Buffer {
    const from = (number - 1) * this.#size;
    if (number < 1 || from + this.#size > this.#file.length) throw damaged(`there is no page ${number}`);
    if (this.#seen.has(number)) throw damaged(`page ${number} is used twice`);
    this.#seen.add(number);
    return this.#file.subarray(from, from + this.#usable);
  }

  #payload(page: Buffer, at: number): Buffer {
    const length = varint(page, at);
    const body = varint(page, length.end).end;
    this.#given += length.value + LEAST_CELL;
    if (this.#given > this.#file.length) throw damaged("its rows are longer than the file");
    const local = this.#localOf(length.value);
    if (body + local > page.length) throw damaged("a row passes its page");
    const pieces = [page.subarray(body, body + local)];
    let left = length.value - local;
    let next = left > 0 && body + local + 4 <= page.length ? page.readUInt32BE(body + local) : 0;
    while (left > 0) {
      const further = this.#page(next);
      const piece = further.subarray(4, 4 + Math.min(left, further.length - 4));
      pieces.push(piece);
      left -= piece.length;
      next = further.readUInt32BE(0);
    }
    return Buffer.concat(pieces);
  }

  /** So much of a row stands in its leaf. */
  #localOf(length: number): number {
    const most = this.#usable - 35;
    if (length <= most) return length;
    const least = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const kept = least + ((length - least) % (this.#usable - 4));
    return kept <= most ? kept : least;
  }
}

/** The columns of a record: where each lies, and what it is. */
function* columnsOf(record: Buffer): Generator<{ readonly type: number; readonly bytes: Buffer }> {
  const header = varint(record, 0);
  let at = header.end;
  let body = header.value;
  while (at < header.value) {
    const { value: type, end } = varint(record, at);
    const length = lengthOf(type);
    if (body + length > record.length) throw damaged("a column passes its row");
    yield { type, bytes: record.subarray(body, body + length) };
    body += length;
    at = end;
  }
}

const NUMBER_LENGTHS: readonly number[] = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0];

function lengthOf(type: number): number {
  return NUMBER_LENGTHS[type] ?? Math.floor((type - 12) / 2);
}

function valuesOf(record: Buffer): readonly SqliteValue[] {
  return Array.from(columnsOf(record), ({ type, bytes }) => {
    if (type < 12) return undefined;
    return type % 2 === 0 ? bytes : bytes.toString("utf8");
  });
}

/** A small positive number in a column; 1 has a type of its own. */
function integerAt(record: Buffer, column: number): number {
  const { type, bytes } = [...columnsOf(record)][column] ?? { type: 0, bytes: Buffer.alloc(0) };
  if (type === 9) return 1;
  return type >= 1 && type <= 4 ? bytes.readUIntBE(0, bytes.length) : 0;
}

/** SQLite's: seven bits a byte, the most significant first; longer ones are of numbers that nothing here can be. */
function varint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let end = at; end < Math.min(at + 8, bytes.length); end += 1) {
    const byte = bytes.readUInt8(end);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) break;
      return { value, end: end + 1 };
    }
  }
  throw damaged("a number is too large, or cut");
}

function damaged(why: string): HpsError {
  return new HpsError("invalid", `the SQLite database is damaged: ${why}`);
}
