/** What the package databases of Debian's, Alpine's and Red Hat's relatives say is installed. */
import { rpmPackages } from "./rpm-packages.ts";

/** Versions by `name` or, of another architecture than the first, `name:architecture`. */
export type Packages = ReadonlyMap<string, string>;

/** Files of a tree that list packages, and how they are read; the first that is there counts. */
export const PACKAGE_LISTS: readonly { readonly path: string; readonly parse: (content: Buffer) => Packages }[] = [
  { path: "var/lib/dpkg/status", parse: parseDpkgStatus },
  { path: "lib/apk/db/installed", parse: parseApkInstalled },
  { path: "usr/lib/apk/db/installed", parse: parseApkInstalled },
  { path: "usr/lib/sysimage/rpm/rpmdb.sqlite", parse: rpmPackages },
  { path: "var/lib/rpm/rpmdb.sqlite", parse: rpmPackages },
];

/** Paragraphs of fields; packages that were removed and left their settings behind are there too, and are not installed. */
function parseDpkgStatus(content: Buffer): Packages {
  const found = new Map<string, string>();
  for (const paragraph of content.toString("utf8").split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
    const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
    if (name === "" || version === "" || !field("Status").endsWith(" installed")) continue;
    found.set(found.has(name) ? `${name}:${architecture}` : name, version);
  }
  return found;
}

/** Paragraphs of letters: P names, V is its version. */
function parseApkInstalled(content: Buffer): Packages {
  const found = new Map<string, string>();
  for (const paragraph of content.toString("utf8").split(/\n\n+/)) {
    const [name, version] = ["P", "V"].map((key) => new RegExp(`^${key}:(.*)$`, "m").exec(paragraph)?.[1]);
    if (name !== undefined && version !== undefined) found.set(name, version);
  }
  return found;
}

export interface PackageChange {
  readonly name: string;
  /** Empty: it was not there. */
  readonly before: string;
  /** Empty: it is gone. */
  readonly after: string;
}

/** By name. */
export function packageChanges(before: Packages, after: Packages): PackageChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const changes = names.map((name) => ({ name, before: before.get(name) ?? "", after: after.get(name) ?? "" }));
  return changes.filter((change) => change.before !== change.after);
}
