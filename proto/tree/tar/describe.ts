/** Makes an entry of a header and what came before it: long names, local and global extended headers. */
import { quote } from "../../values/safe-text.ts";
import { ACL_ACCESS, ACL_DEFAULT } from "../acl.ts";
import { type ByteString, latin1 } from "../byte-string.ts";
import { damaged, type Place, unsupported } from "./damage.ts";
import type { AclTexts, EntryType, TarEntry, Xattr } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { type PaxRecords, paxNumber, paxTime } from "./pax.ts";

/** What stands before a header and belongs to it. */
export interface Preface {
  readonly records: PaxRecords;
  /** The header has an extended header of its own. */
  readonly local: boolean;
  readonly longName?: ByteString;
  readonly longLink?: ByteString;
}

export interface Described {
  readonly entry: TarEntry;
  /** Bytes that follow in the archive. */
  readonly stored: number;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // GNU's incremental archives: a directory with a list of names as content.
  D: "directory",
};

/** The kernel's bound, its zero byte not counted. */
const LONGEST_PATH = 4095;

/** The largest id; the next one means "unchanged" to the kernel. */
const LARGEST_ID = 0xffff_fffe;

export function describe(header: RawHeader, preface: Preface, at: number): Described {
  const { values } = preface.records;
  const path = values.get("GNU.sparse.name") ?? values.get("path") ?? preface.longName ?? header.name;
  const place = { at, name: path };
  const type = typeOf(header, path, place);
  const link = values.get("linkpath") ?? preface.longLink ?? header.link;
  if (path === "") throw damaged(place, "it has no name");
  if (path.includes("\0") || link.includes("\0")) throw damaged(place, "a name holds a zero byte");
  if (path.length > LONGEST_PATH || link.length > LONGEST_PATH) throw damaged(place, "a name longer than any path");
  if ((type === "symlink" || type === "hardlink") && link === "") throw damaged(place, "it is a link to nothing");
  const number = (key: string, otherwise: number) => numberOf(values.get(key), otherwise, key, place);
  const stored = storedSize(header, preface, number("size", header.size), place);
  const xattrs = xattrsOf(values, place);
  return {
    entry: {
      type,
      path,
      mode: header.mode,
      uid: idOf(number("uid", header.uid), "uid", place),
      gid: idOf(number("gid", header.gid), "gid", place),
      mtime: timeOf(values.get("mtime"), header, place),
      size: type === "file" ? stored : 0,
      link: type === "symlink" || type === "hardlink" ? link : NO_LINK,
      major: idOf(number("SCHILY.devmajor", header.major), "device number", place),
      minor: idOf(number("SCHILY.devminor", header.minor), "device number", place),
      xattrs,
      acls: aclsOf(values, xattrs),
      at,
    },
    stored,
  };
}

const NO_LINK = latin1("");

function typeOf(header: RawHeader, path: ByteString, place: Place): EntryType {
  const type = TYPES[header.type];
  if (type === undefined) {
    throw unsupported(place, `an entry of type ${quote(header.type)}, which is none of a file tree,`);
  }
  // Before there was a type for directories.
  return type === "file" && header.type !== "7" && header.type !== "S" && path.endsWith("/") ? "directory" : type;
}

/** A header's size counts only where content follows: other kinds hold 0, or a number that old programs meant nothing by. */
function storedSize(header: RawHeader, preface: Preface, size: number, place: Place): number {
  if (size < 0) throw damaged(place, "its size is negative");
  if ("0\x007SD".includes(header.type)) return size;
  return header.type === "1" && preface.local ? size : 0;
}

function numberOf(value: ByteString | undefined, otherwise: number, key: string, place: Place): number {
  return value === undefined ? otherwise : paxNumber(value, place, key);
}

function idOf(value: number, what: string, place: Place): number {
  if (value < 0 || value > LARGEST_ID) throw damaged(place, `its ${what} is beyond all bounds`);
  return value;
}

function timeOf(value: ByteString | undefined, header: RawHeader, place: Place): bigint {
  const ns = value === undefined ? BigInt(header.seconds) * 1_000_000_000n : paxTime(value, place);
  if (ns < -FURTHEST || ns > FURTHEST) throw damaged(place, "its time is beyond all bounds");
  return ns;
}

/** 10^12 seconds, some 30 000 years. */
const FURTHEST = 10n ** 21n;

const NONE: readonly Xattr[] = [];
const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

/** bsdtar writes each attribute twice; the exact form wins. */
function xattrsOf(values: PaxRecords["values"], place: Place): readonly Xattr[] {
  if (values.size === 0) return NONE;
  const found = new Map<ByteString, Uint8Array>();
  for (const [key, value] of values) {
    if (key.startsWith(LIBARCHIVE)) {
      const name = decodePercent(key.slice(LIBARCHIVE.length));
      if (!found.has(name)) found.set(name, Buffer.from(value, "base64"));
    } else if (key.startsWith(SCHILY)) found.set(decodeKeyword(key.slice(SCHILY.length)), Buffer.from(value, "latin1"));
    // The kernel keeps the zero byte that the tools of SELinux set with it.
    else if (key === "RHT.security.selinux") found.set(latin1("security.selinux"), Buffer.from(`${value}\0`, "latin1"));
  }
  return [...found].map(([name, value]) => {
    if (name === "" || name.length > 255 || name.includes("\0"))
      throw damaged(place, "an attribute has no proper name");
    if (value.length > 65_536) throw damaged(place, "an attribute is longer than 64 kB");
    return { name, value };
  });
}

/** GNU tar writes these two so in a name, and nothing else. */
function decodeKeyword(key: string): ByteString {
  return latin1(key.replaceAll("%3D", "=").replaceAll("%25", "%"));
}

function decodePercent(text: string): ByteString {
  return latin1(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
  );
}

/** A list that is also there as the kernel has it needs no text: that one may hold names. */
function aclsOf(values: PaxRecords["values"], xattrs: readonly Xattr[]): AclTexts {
  const text = (key: string, exact: ByteString) =>
    xattrs.some(({ name }) => name === exact) ? undefined : values.get(key);
  const access = text("SCHILY.acl.access", ACL_ACCESS);
  const byDefault = text("SCHILY.acl.default", ACL_DEFAULT);
  return { ...(access !== undefined && { access }), ...(byDefault !== undefined && { default: byDefault }) };
}
