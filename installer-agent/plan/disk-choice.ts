import { type DiskRule, formatDiskRule } from "../../proto/values/disk-rule.ts";
import type { Facts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote, safeText } from "../../proto/values/safe-text.ts";
import { roundSize } from "../../proto/values/size.ts";

export type Disk = Facts["disks"][number];

/** Named in a refusal; a reason has room for no more. */
const MOST_NAMED = 6;

/**
 * The one disk that the rule means; the empty rule means the one fixed disk. Throws `precondition`, naming the candidates,
 * when it means none or more than one: the smallest of two equal ones is none.
 */
export function chooseDisk(disks: readonly Disk[], rule: DiskRule): Disk {
  const meant = picked(
    disks.filter((disk) => fits(disk, rule)),
    rule,
  );
  const [only, ...others] = meant;
  if (only !== undefined && others.length === 0) return only;
  const text = formatDiskRule(rule);
  const rest = text === "" ? "" : ` that the rule ${text} means`;
  if (only === undefined) {
    const what = text === "" ? "this machine has no fixed disk" : `this machine has no disk${rest}`;
    throw refusal(`${what}; it has ${listed(disks)}`, disks);
  }
  const what = text === "" ? `this machine has ${meant.length} fixed disks` : `there are ${meant.length} disks${rest}`;
  throw refusal(`${what}: ${listed(meant)}`, meant);
}

/** `vda (20 GiB, "QEMU HARDDISK", serial "S1", virtio)`. */
export function diskText({ name, sizeBytes, serial, model, transport }: Disk): string {
  const parts = [
    roundSize(sizeBytes),
    ...(model === undefined ? [] : [quote(model, 40)]),
    serial === undefined ? "no serial number" : `serial ${quote(serial)}`,
    ...(transport === undefined ? [] : [safeText(transport)]),
  ];
  return `${name} (${parts.join(", ")})`;
}

/** Fixed unless it says that it is removable or hangs on USB; one named outright may be either. */
function fits(disk: Disk, { serial, wwn, path, atLeast = 0, atMost = Number.MAX_SAFE_INTEGER }: DiskRule): boolean {
  const named = serial !== undefined || wwn !== undefined || path !== undefined;
  return (
    (named || (disk.removable !== true && disk.transport !== "usb")) &&
    (serial === undefined || disk.serial === serial) &&
    (wwn === undefined || (disk.wwn !== undefined && bareWwn(disk.wwn) === bareWwn(wwn))) &&
    (path === undefined || disk.path === path) &&
    disk.sizeBytes >= atLeast &&
    disk.sizeBytes <= atMost
  );
}

function bareWwn(wwn: string): string {
  return wwn.toLowerCase().replace(/^(naa\.|eui\.|uuid\.|0x)/, "");
}

function picked(disks: readonly Disk[], { pick }: DiskRule): readonly Disk[] {
  if (pick === undefined) return disks;
  const sizes = disks.map(({ sizeBytes }) => sizeBytes);
  const wanted = pick === "smallest" ? Math.min(...sizes) : Math.max(...sizes);
  return disks.filter(({ sizeBytes }) => sizeBytes === wanted);
}

function listed(disks: readonly Disk[]): string {
  if (disks.length === 0) return "none";
  const named = disks.slice(0, MOST_NAMED).map(diskText).join(", ");
  return disks.length > MOST_NAMED ? `${named} and ${disks.length - MOST_NAMED} more` : named;
}

function refusal(message: string, disks: readonly Disk[]): HpsError {
  const handle = disks.map((disk) => handleOf(disk, disks)).find((one) => one !== undefined);
  const none =
    disks.length === 0 ? "see that its controller has a driver" : "nothing tells them apart: take all but one out";
  const hint =
    handle === undefined
      ? none
      : `say which: hpsctl installation cancel HOST, then hpsctl install HOST --disk ${shellWord(handle)}`;
  return new HpsError("precondition", message, { hint });
}

/** A rule that means this disk alone. */
function handleOf(disk: Disk, disks: readonly Disk[]): string | undefined {
  const { serial, wwn, path } = disk;
  const rules: readonly DiskRule[] = [
    ...(serial === undefined ? [] : [{ serial }]),
    ...(wwn === undefined ? [] : [{ wwn }]),
    ...(path === undefined ? [] : [{ path }]),
  ];
  const rule = rules.find((one) => disks.filter((other) => fits(other, one)).length === 1);
  return rule && formatDiskRule(rule);
}

/** One word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w.:=/+@%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
