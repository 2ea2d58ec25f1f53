/** POSIX access control lists: the text that archives hold, and the bytes that the kernel keeps as an attribute. */
import { HpsError } from "../values/hps-error.ts";
import { quote } from "../values/safe-text.ts";
import { type ByteString, byteStringOf, bytesOf, showName } from "./byte-string.ts";

export const ACL_ACCESS = byteStringOf("system.posix_acl_access");
export const ACL_DEFAULT = byteStringOf("system.posix_acl_default");

/** The number of a user or group that a list names; undefined when there is none. */
export type IdOfName = (kind: "user" | "group", name: string) => number | undefined;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

const USER_OBJECT = 0x01;
const USER = 0x02;
const GROUP_OBJECT = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;
const NO_ID = 0xffff_ffff;
const VERSION = 2;

const TAGS = new Map<string, readonly [own: number, named?: number]>([
  ["user", [USER_OBJECT, USER]],
  ["u", [USER_OBJECT, USER]],
  ["group", [GROUP_OBJECT, GROUP]],
  ["g", [GROUP_OBJECT, GROUP]],
  ["mask", [MASK]],
  ["m", [MASK]],
  ["other", [OTHER]],
  ["o", [OTHER]],
]);

/** The kernel's form of a list such as "user::rw-,user:lisa:rw-,group::r--,mask::rw-,other::r--"; `invalid` says what is wrong with the list of `path`. */
export function aclBytes(text: ByteString, idOfName: IdOfName, path: ByteString): Buffer {
  try {
    return bytesOfList(text, idOfName);
  } catch (error) {
    if (!(error instanceof WrongList)) throw error;
    const message = `the access control list of ${showName(path)} ${error.why}`;
    throw new HpsError("invalid", message, { hint: "make the archive with numbers for users and groups" });
  }
}

class WrongList extends Error {
  readonly why: string;
  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

function bytesOfList(text: ByteString, idOfName: IdOfName): Buffer {
  const lines = bytesOf(text).toString("utf8").split(/[,\n]/);
  const entries = lines.map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
  return encode(withMask(entries.map((entry) => parseEntry(entry, idOfName))));
}

/** The text of the kernel's form, by numbers; undefined when `bytes` is none. */
export function aclText(bytes: Uint8Array): ByteString | undefined {
  const view = Buffer.from(bytes);
  if (view.length < 4 || view.length % 8 !== 4 || view.readUInt32LE(0) !== VERSION) return undefined;
  const entries: string[] = [];
  for (let at = 4; at < view.length; at += 8) {
    const name = NAMES.get(view.readUInt16LE(at));
    if (name === undefined) return undefined;
    const permissions = view.readUInt16LE(at + 2);
    const flags = ["r", "w", "x"].map((flag, bit) => ((permissions & (4 >> bit)) === 0 ? "-" : flag)).join("");
    const isNamed = (view.readUInt16LE(at) & (USER | GROUP)) !== 0;
    entries.push(`${name}:${isNamed ? view.readUInt32LE(at + 4) : ""}:${flags}`);
  }
  return byteStringOf(entries.join(","));
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [USER_OBJECT, "user"],
  [USER, "user"],
  [GROUP_OBJECT, "group"],
  [GROUP, "group"],
  [MASK, "mask"],
  [OTHER, "other"],
]);

function parseEntry(entry: string, idOfName: IdOfName): AclEntry {
  const [kind = "", name = "", flags = "", number] = entry.replace(/^default:/, "").split(":");
  const [own, named] = TAGS.get(kind) ?? [];
  const permissions = permissionsOf(flags);
  if (own === undefined || permissions === undefined) throw new WrongList(`cannot be read at ${quote(entry)}`);
  if (name === "") return { tag: own, permissions, id: NO_ID };
  if (named === undefined) throw new WrongList(`cannot be read at ${quote(entry)}`);
  return { tag: named, permissions, id: idOf(named === USER ? "user" : "group", number ?? name, name, idOfName) };
}

function permissionsOf(flags: string): number | undefined {
  if (!/^[rwx-]{0,8}$/.test(flags)) return undefined;
  return (flags.includes("r") ? 4 : 0) | (flags.includes("w") ? 2 : 0) | (flags.includes("x") ? 1 : 0);
}

function idOf(kind: "user" | "group", given: string, name: string, idOfName: IdOfName): number {
  const id = /^[0-9]{1,10}$/.test(given) ? Number(given) : idOfName(kind, name);
  if (id === undefined) throw new WrongList(`names the ${kind} ${quote(name)}, whom the tree's own lists do not know`);
  if (id >= NO_ID) throw new WrongList(`holds the id ${given}, which is beyond all bounds`);
  return id;
}

/** A list that names somebody must bound them; where the text leaves that out, nothing is bounded. */
function withMask(entries: readonly AclEntry[]): readonly AclEntry[] {
  const named = entries.filter(({ tag }) => tag === USER || tag === GROUP || tag === GROUP_OBJECT);
  if (entries.some(({ tag }) => tag === MASK) || named.every(({ tag }) => tag === GROUP_OBJECT)) return entries;
  return [
    ...entries,
    { tag: MASK, permissions: named.reduce((all, { permissions }) => all | permissions, 0), id: NO_ID },
  ];
}

/** In the kernel's order: by kind, then by number. */
function encode(entries: readonly AclEntry[]): Buffer {
  const sorted = entries.toSorted((one, other) => one.tag - other.tag || one.id - other.id);
  const bytes = Buffer.alloc(4 + 8 * sorted.length);
  bytes.writeUInt32LE(VERSION, 0);
  for (const [index, { tag, permissions, id }] of sorted.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * index);
    bytes.writeUInt16LE(permissions, 6 + 8 * index);
    bytes.writeUInt32LE(id, 8 + 8 * index);
  }
  return bytes;
}
