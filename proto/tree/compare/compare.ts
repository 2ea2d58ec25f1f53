import { type ByteString, byteString, showName } from "../byte-string.ts";
import type { TreeRecord, TreeRecords } from "./record.ts";

/** What can differ. `missing` and `extra` stand for a whole entry. */
type Aspect =
  | "missing"
  | "extra"
  | "type"
  | "mode"
  | "owner"
  | "time"
  | "content"
  | "link"
  | "device"
  | "attributes"
  | "names";

export interface TreeDifference {
  readonly path: ByteString;
  readonly aspect: Aspect;
  /** For a message, safe to show. */
  readonly expected: string;
  readonly found: string;
}

/**
 * What `found` has otherwise than `expected`, in the order of the paths. Nothing is overlooked: what may differ is for the
 * caller to filter out.
 */
export function compareTrees(expected: TreeRecords, found: TreeRecords): TreeDifference[] {
  const paths = [...new Set([...expected.keys(), ...found.keys()])].sort();
  return paths.flatMap((path) => differencesAt(path, expected.get(path), found.get(path)));
}

/** One line: `"etc/fstab": content is …, not …`. */
export function showDifference({ path, aspect, expected, found }: TreeDifference): string {
  const name = showName(path === "" ? DOT : path);
  if (aspect === "missing") return `${name} is missing (${expected})`;
  if (aspect === "extra") return `${name} is not expected (${found})`;
  return `${name}: ${aspect} is ${found}, not ${expected}`;
}

const DOT = byteString(Buffer.from("."));

function differencesAt(path: ByteString, expected?: TreeRecord, found?: TreeRecord): TreeDifference[] {
  if (found === undefined) return [{ path, aspect: "missing", expected: expected?.type ?? "", found: "" }];
  if (expected === undefined) return [{ path, aspect: "extra", expected: "", found: found.type }];
  if (expected.type !== found.type) return [{ path, aspect: "type", expected: expected.type, found: found.type }];
  return ASPECTS.flatMap(([aspect, show]) => {
    const [wanted, is] = [show(expected), show(found)];
    return wanted === is ? [] : [{ path, aspect, expected: wanted, found: is }];
  });
}

const ASPECTS: readonly (readonly [Aspect, (record: TreeRecord) => string])[] = [
  ["mode", ({ mode }) => mode.toString(8).padStart(4, "0")],
  ["owner", ({ uid, gid }) => `${uid}:${gid}`],
  ["time", ({ mtime }) => `${mtime}`],
  ["content", ({ size, digest }) => (digest === "" ? "" : `${size} bytes, SHA-256 ${digest}`)],
  ["link", ({ link }) => (link === "" ? "" : showName(link))],
  ["device", ({ major, minor }) => `${major}:${minor}`],
  ["attributes", ({ xattrs }) => xattrs.map(({ name, value }) => `${showName(name)}=${hex(value)}`).join(" ")],
  ["names", ({ names }) => names.map(showName).join(" ")],
];

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}
