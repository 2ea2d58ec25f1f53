/** Extended headers of POSIX pax: "LENGTH KEY=VALUE\n" records. Values are bytes. */
import { type ByteString, byteString } from "../byte-string.ts";
import { damaged, type Place } from "./damage.ts";

const NEWLINE = 0x0a;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** What extended headers say, by key. `sparse` holds the offsets and sizes of GNU's first sparse format, whose keys repeat. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, ByteString>;
  readonly sparse: readonly ByteString[];
}

export const NO_RECORDS: PaxRecords = { values: new Map(), sparse: [] };

const ATTRIBUTE = /^(SCHILY|LIBARCHIVE)\.xattr\./;
const OTHERS =
  /^(path|linkpath|size|uid|gid|mtime|GNU\.sparse\..*|SCHILY\.(acl\..*|devm(ajor|inor))|RHT\.security\.selinux)$/;
/** Kept: a global header's records are looked at for every entry. All others say nothing that a tree holds. */
const KNOWN = new RegExp(`${ATTRIBUTE.source}|${OTHERS.source}`, "s");
const MOST_RECORDS = 1024;

/** `before` with the records of `body`; an empty value takes a key away, but an attribute may be empty. */
export function withRecords(before: PaxRecords, body: Buffer, place: Place): PaxRecords {
  const values = new Map(before.values);
  const sparse: ByteString[] = [];
  for (let at = 0; at < body.length; ) {
    const record = recordAt(body, at);
    if (record === undefined) throw damaged(place, `its extended header has no record at ${at}`);
    const { key, value } = record;
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") sparse.push(value);
    else if (value === "" && !ATTRIBUTE.test(key)) values.delete(key);
    else if (KNOWN.test(key)) values.set(key, value);
    if (values.size > MOST_RECORDS) throw damaged(place, `its extended header has more than ${MOST_RECORDS} records`);
    at = record.end;
  }
  return { values, sparse };
}

interface PaxRecord {
  readonly key: string;
  readonly value: ByteString;
  readonly end: number;
}

function recordAt(body: Buffer, at: number): PaxRecord | undefined {
  const space = body.indexOf(SPACE, at);
  if (space === -1 || space === at || space - at > 10) return undefined;
  const length = body.toString("latin1", at, space);
  const end = at + Number.parseInt(length, 10);
  if (!/^[0-9]+$/.test(length) || end > body.length || end <= space + 2 || body[end - 1] !== NEWLINE) return undefined;
  const equals = body.indexOf(EQUALS, space + 1);
  if (equals === -1 || equals >= end - 1 || equals === space + 1) return undefined;
  return {
    key: body.toString("latin1", space + 1, equals),
    value: byteString(body.subarray(equals + 1, end - 1)),
    end,
  };
}

/** A count or an id: decimal digits. */
export function paxNumber(value: ByteString, place: Place, what: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw damaged(place, `its ${what} is no number or beyond all bounds`);
  return number;
}

/** Seconds with a fraction, as nanoseconds; finer digits are dropped, toward the past as the kernel does. */
export function paxTime(value: ByteString, place: Place): bigint {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]{0,30}))?$/.exec(value);
  if (match === null) throw damaged(place, "its time is no number or beyond all bounds");
  const [, sign, seconds = "0", fraction = ""] = match;
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  const rest = /[1-9]/.test(fraction.slice(9)) ? 1n : 0n;
  return sign === "-" ? -(ns + rest) : ns;
}
