import { type ByteString, byteString } from "../byte-string.ts";
import type { Segment } from "../native/files.ts";
import { damaged, type Place, unsupported } from "./damage.ts";
import { type Described, describe, type Preface } from "./describe.ts";
import type { TarHandler } from "./entry.ts";
import { TarFeed } from "./feed.ts";
import { isZeroBlock, parseHeader, parseNumber, type RawHeader } from "./header.ts";
import { NO_RECORDS, type PaxRecords, paxNumber, withRecords } from "./pax.ts";
import { checkedSegments, checkSegmentCount, gnuSegments, paxSegments, Scatter, SparseMapReader } from "./sparse.ts";

/** No name, no record and no map of a sparse file that we know comes near. */
const LARGEST_HEADER = 8 << 20;

type Before = Omit<Preface, "records"> & { readonly records?: PaxRecords };

const NOTHING_BEFORE: Before = { local: false };

/**
 * Reads a tar archive that comes in pieces and tells `handler` what it holds, at once and in order: POSIX ustar and pax, GNU
 * (long names, sparse files of all four formats), star, V7. Bytes stay bytes. Memory is bounded by a header's bound (8 MiB).
 * Anything that is no archive, or ends too soon, or goes on after its end, throws `invalid` naming byte and entry.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #feed = new TarFeed((block, at) => this.#header(block, at));
  #global: PaxRecords = NO_RECORDS;
  #before: Before = NOTHING_BEFORE;
  #place: Place = { at: 0 };
  #ended = false;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  push(bytes: Uint8Array): void {
    this.#feed.push(bytes);
  }

  /** The end mark has come. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The source has ended: throws when the archive has not. */
  end(): void {
    if (this.#ended) return;
    throw damaged({ at: this.#feed.position, name: this.#place.name }, "it ends here, before its end mark");
  }

  #nextHeader(): void {
    this.#place = { at: 0 };
    this.#feed.blocks((block, at) => this.#header(block, at));
  }

  #header(block: Buffer, at: number): void {
    if (isZeroBlock(block)) {
      this.#endMark(at);
      return;
    }
    const header = parseHeader(block, at);
    this.#place = { at, name: header.name };
    const take = this.#taker(header);
    if (take === undefined) this.#member(header, block, at);
    else this.#gather(header, take);
  }

  /** For a header whose content describes others: what to do with it. */
  #taker(header: RawHeader): ((body: Buffer) => void) | undefined {
    switch (header.type) {
      case "x":
      case "X":
        return (body) => {
          this.#before = { ...this.#before, records: withRecords(this.#global, body, this.#place), local: true };
        };
      case "g":
        return (body) => {
          this.#global = withRecords(this.#global, body, this.#place);
        };
      case "L":
        return (body) => {
          this.#before = { ...this.#before, longName: untilZero(body) };
        };
      case "K":
        return (body) => {
          this.#before = { ...this.#before, longLink: untilZero(body) };
        };
      // An archive's label says nothing about its entries.
      case "V":
        return () => undefined;
      default:
        return undefined;
    }
  }

  #endMark(at: number): void {
    if (this.#before !== NOTHING_BEFORE) throw damaged({ at }, "it ends between an extended header and its entry");
    this.#place = { at };
    this.#feed.blocks((block, second) => {
      if (!isZeroBlock(block)) throw damaged({ at: second }, "half an end mark, then more");
      this.#ended = true;
      this.#feed.rest(refuseMore);
    });
  }

  #gather(header: RawHeader, take: (body: Buffer) => void): void {
    if (header.size < 0 || header.size > LARGEST_HEADER) {
      throw damaged(this.#place, `an extended header of ${header.size} bytes`);
    }
    const body = Buffer.alloc(header.size);
    let filled = 0;
    this.#feed.content(header.size, {
      data: (bytes) => {
        body.set(bytes, filled);
        filled += bytes.length;
      },
      done: () => {
        take(body);
        this.#nextHeader();
      },
    });
  }

  #member(header: RawHeader, block: Buffer, at: number): void {
    if (header.type === "M") throw unsupported(this.#place, "a file that began on another volume");
    const records = this.#before.records ?? this.#global;
    const described = describe(header, { ...this.#before, records }, at);
    this.#before = NOTHING_BEFORE;
    this.#place = { at, name: described.entry.path };
    if (header.type === "S") this.#oldSparse(described, block);
    else if (described.entry.type === "file") this.#file(described, records);
    else this.#plain(described);
  }

  #file(described: Described, records: PaxRecords): void {
    if (records.values.get("GNU.sparse.major") === "1") {
      this.#newSparse(described, records);
      return;
    }
    const segments = paxSegments(records, this.#place);
    if (segments === undefined) this.#plain(described);
    else this.#sparse(described, segments, realSize(records, this.#place));
  }

  #plain({ entry, stored }: Described): void {
    this.#handler.entry(entry);
    const holds = entry.type === "file";
    let offset = 0;
    this.#feed.content(stored, {
      data: (bytes) => {
        if (holds) this.#handler.data(bytes, offset);
        offset += bytes.length;
      },
      done: () => this.#done(),
    });
  }

  #done(): void {
    this.#handler.done();
    this.#nextHeader();
  }

  /** The map begins in the header and may go on in blocks of its own. */
  #oldSparse(described: Described, block: Buffer): void {
    const { at } = this.#place;
    const size = parseNumber(block.subarray(483, 495), at, "size");
    const segments = gnuSegments(block, 386, 4, at);
    if (block[482] === 0) {
      this.#sparse(described, segments, size);
      return;
    }
    this.#feed.blocks((more) => {
      segments.push(...gnuSegments(more, 0, 21, at));
      checkSegmentCount(segments.length, this.#place);
      if (more[504] === 0) this.#sparse(described, segments, size);
    });
  }

  /** The map stands before the content, and its blocks count as stored. */
  #newSparse(described: Described, records: PaxRecords): void {
    const size = realSize(records, this.#place);
    const map = new SparseMapReader(this.#place);
    this.#feed.blocks((block) => {
      const segments = map.add(block);
      const stored = described.stored - map.size;
      if (stored < 0) throw damaged(this.#place, "its sparse map is longer than what it stores");
      if (segments !== undefined) this.#sparse({ ...described, stored }, segments, size);
    });
  }

  #sparse({ entry, stored }: Described, pieces: readonly Segment[], size: number): void {
    const segments = checkedSegments(pieces, size, stored, this.#place);
    this.#handler.entry({ ...entry, size, segments });
    const scatter = new Scatter(segments, (bytes, offset) => this.#handler.data(bytes, offset));
    this.#feed.content(stored, { data: (bytes) => scatter.add(bytes), done: () => this.#done() });
  }
}

/** Zeros fill the last record; anything else is a second archive that would be lost, or no archive. */
function refuseMore(bytes: Buffer, at: number): void {
  const found = bytes.findIndex((byte) => byte !== 0);
  if (found !== -1) throw damaged({ at: at + found }, "something follows its end mark");
}

function untilZero(body: Buffer): ByteString {
  const end = body.indexOf(0);
  return byteString(end === -1 ? body : body.subarray(0, end));
}

function realSize(records: PaxRecords, place: Place): number {
  const value = records.values.get("GNU.sparse.realsize") ?? records.values.get("GNU.sparse.size");
  if (value === undefined) throw damaged(place, "its sparse file has no size");
  return paxNumber(value, place, "size");
}
