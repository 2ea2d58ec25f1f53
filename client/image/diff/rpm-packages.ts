/** What an RPM database says is installed: https://rpm.org/docs/latest/manual/format_header.html tells of headers. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import { tableRows } from "./sqlite-table.ts";

interface RpmPackage {
  readonly name: string;
  /** `epoch:version-release`, without an epoch of 0. */
  readonly version: string;
  readonly architecture: string;
}

const TAGS = { name: 1000, version: 1001, release: 1002, epoch: 1003, architecture: 1022 } as const;
const [INT32, STRING] = [4, 6];
/** No distribution has so many. */
const MOST_PACKAGES = 200_000;
const INTRO = 8;
const ENTRY = 16;
/** Architectures of packages that have none. */
const ANY = new Set(["noarch", ""]);

/** Versions by `name`, or `name:architecture` for packages of another than most; several of one name are separated by commas. */
export function rpmPackages(database: Buffer): ReadonlyMap<string, string> {
  const found: RpmPackage[] = [];
  for (const [, header] of tableRows(database, "Packages")) {
    if (found.length === MOST_PACKAGES) throw damaged(`more than ${MOST_PACKAGES} packages`);
    if (!(header instanceof Buffer)) throw damaged("a package without a header");
    found.push(packageOf(header));
  }
  const main = mostFrequent(found.map(({ architecture }) => architecture).filter((name) => !ANY.has(name)));
  const versions = new Map<string, string[]>();
  for (const { name, version, architecture } of found) {
    const key = architecture === main || ANY.has(architecture) ? name : `${name}:${architecture}`;
    const several = versions.get(key);
    if (several === undefined) versions.set(key, [version]);
    else several.push(version);
  }
  return new Map([...versions].map(([key, several]) => [key, several.sort().join(", ")]));
}

/** Two counts, as many entries of an index, then their data. */
function packageOf(header: Buffer): RpmPackage {
  if (header.length < INTRO) throw damaged("a header that is cut");
  const [count, length] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const data = INTRO + count * ENTRY;
  if (data + length > header.length) throw damaged("a header that is cut");
  const store = header.subarray(data, data + length);
  const entries = new Map<number, { readonly type: number; readonly offset: number }>();
  for (let at = INTRO; at < data; at += ENTRY) {
    entries.set(header.readUInt32BE(at), { type: header.readUInt32BE(at + 4), offset: header.readUInt32BE(at + 8) });
  }
  const text = (tag: keyof typeof TAGS) => {
    const { type, offset } = entries.get(TAGS[tag]) ?? { type: 0, offset: 0 };
    const end = type === STRING ? store.indexOf(0, offset) : -1;
    return end === -1 ? "" : store.toString("utf8", offset, end);
  };
  const epoch = entries.get(TAGS.epoch);
  const hasEpoch = epoch?.type === INT32 && epoch.offset + 4 <= store.length && store.readUInt32BE(epoch.offset) > 0;
  const name = text("name");
  if (name === "") throw damaged("a package without a name");
  const prefix = hasEpoch ? `${store.readUInt32BE(epoch.offset)}:` : "";
  return { name, version: `${prefix}${text("version")}-${text("release")}`, architecture: text("architecture") };
}

function mostFrequent(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1))[0]?.[0];
}

function damaged(why: string): HpsError {
  return new HpsError("invalid", `the RPM database is damaged: it has ${why}`);
}
