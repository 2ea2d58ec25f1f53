import { HpsError } from "../../proto/values/hps-error.ts";
import { hostReference } from "../sdk/host-names.ts";

/** A file here, or on a host. */
type CopyOperand =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "remote"; readonly host: string; readonly path: string };

/** What a copy is from and to: one side is hosts, the other is here. */
export type CopyOrder =
  | { readonly to: "host"; readonly sources: readonly string[]; readonly host: string; readonly path: string }
  | { readonly to: "here"; readonly sources: readonly RemotePath[]; readonly path: string };

export interface RemotePath {
  readonly host: string;
  readonly path: string;
}

/** `web01:`, `lab/web01:`, or an id. A colon behind anything else is of a file's name here. */
const REMOTE = /^((?:[a-z][a-z0-9-]*\/)?[a-z0-9][a-z0-9-]*):(.*)$/is;

/** `HOST:PATH` is on that host, below root's home unless it begins with a slash; all else is here. */
function parseOperand(text: string, cluster: string | undefined): CopyOperand {
  const [, host, path = ""] = REMOTE.exec(text) ?? [];
  if (host === undefined) return { kind: "local", path: text };
  return { kind: "remote", host: hostReference(host, cluster), path: remotePath(path) };
}

/** Never begins with a dash, which a program there could take for an option. */
function remotePath(path: string): string {
  if (path.includes("\0")) throw new HpsError("invalid", "a path holds a zero byte");
  if (path.startsWith("/")) return path;
  const below = path === "~" ? "" : path.replace(/^~\//, "");
  return below === "" ? "." : `./${below}`;
}

/** The last of `operands` is where all others go. */
export function copyOrder(operands: readonly string[], cluster: string | undefined): CopyOrder {
  const all = operands.map((operand) => parseOperand(operand, cluster));
  const to = all.at(-1);
  const from = all.slice(0, -1);
  if (to === undefined || from.length === 0) throw new HpsError("invalid", "name what to copy, and then where to");
  const here = from.flatMap((operand) => (operand.kind === "local" ? [operand.path] : []));
  const there = from.flatMap((operand) => (operand.kind === "remote" ? [operand] : []));
  if (to.kind === "remote" && there.length === 0) return { to: "host", sources: here, host: to.host, path: to.path };
  if (to.kind === "local" && here.length === 0) return { to: "here", sources: there, path: to.path };
  if (there.length === 0) {
    throw new HpsError("invalid", "neither side is on a host", { hint: "write HOST:PATH for one of them" });
  }
  throw new HpsError("invalid", "a copy is from here to a host, or from hosts to here", {
    hint: "copy here first, then from here; a file here whose name looks like HOST:PATH is written ./NAME",
  });
}

/** The last name of a path; empty for one that has none of its own: `/`, `.`, `..`. */
export function lastName(path: string): string {
  const name = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return name === "." || name === ".." ? "" : name;
}

/** What stands before the last name. */
export function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash === -1) return ".";
  return slash === 0 ? "/" : trimmed.slice(0, slash);
}
