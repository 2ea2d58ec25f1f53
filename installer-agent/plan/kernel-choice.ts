import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** What an image has to start; names and link texts are the image's own and may be anything. */
export interface KernelFacts {
  /** Names of the regular files in /boot. */
  readonly files: readonly string[];
  /** Where the links lead that name an image's kernel, first the one that counts: `/vmlinuz`, `/boot/vmlinuz`. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

/** A kernel with the initrd that belongs to it, as names in /boot. */
export interface KernelChoice {
  readonly kernel: string;
  readonly initrd: string;
  /** `6.1.0-32-amd64`; empty for a kernel without a version in its name. */
  readonly version: string;
  /** For the log: why this one. */
  readonly why: string;
}

const KERNEL = /^(?:vmlinuz|vmlinux|bzImage|linux)(?:-(.+))?$/;
/** Kept beside the kernel that is to be started. */
const SPARE = /(^0-rescue-|\.old$|\.bak$|\.dpkg-(?:bak|new|tmp)$|\.rpmsave$|~$)/;

/** The kernel that a link of the image names, else the newest. Throws `precondition` when there is none, or none with an initrd. */
export function chooseKernel({ files, links }: KernelFacts): KernelChoice {
  const kernels = files.filter((name) => versionOf(name) !== undefined).toSorted(newestFirst);
  if (kernels.length === 0) throw nothing("no kernel", "vmlinuz-*", files);
  const named = links.find(({ target }) => kernels.includes(baseName(target)));
  const kernel = named === undefined ? (kernels[0] ?? "") : baseName(named.target);
  const version = versionOf(kernel) ?? "";
  const initrd = initrdNames(version).find((name) => files.includes(name));
  if (initrd === undefined)
    throw nothing(`no initrd for the kernel ${quote(kernel)}`, initrdNames(version)[0] ?? "", files);
  return { kernel, initrd, version, why: reason(named?.path, kernels.length) };
}

function reason(link: string | undefined, count: number): string {
  if (link !== undefined) return `the image's ${link} names it`;
  return count === 1 ? "it is the only one" : `it is the newest of ${count}, and no link of the image names one`;
}

/** Undefined where the name is no kernel's. */
function versionOf(name: string): string | undefined {
  const found = KERNEL.exec(name);
  const version = found?.[1] ?? "";
  return found === null || SPARE.test(version) ? undefined : version;
}

/** As Debian, Fedora, openSUSE and Arch name them. */
function initrdNames(version: string): readonly string[] {
  if (version === "") return ["initrd.img", "initrd", "initramfs.img"];
  return [`initrd.img-${version}`, `initramfs-${version}.img`, `initrd-${version}`, `initrd-${version}.img`];
}

/** Links lead to /boot by any way; only the last name counts, and only when it is a file there. */
function baseName(target: string): string {
  return target.slice(target.lastIndexOf("/") + 1);
}

function newestFirst(one: string, other: string): number {
  return compareVersions(versionOf(other) ?? "", versionOf(one) ?? "") || (one < other ? -1 : 1);
}

/** Numbers in it count as numbers: 6.1.0-9 is before 6.1.0-10. */
function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => text.match(/\d+|\D+/g) ?? []);
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at += 1) {
    const [a = "", b = ""] = [left?.[at], right?.[at]];
    const difference = Number(a) - Number(b);
    if (difference) return difference;
    if (a !== b && Number.isNaN(difference)) return a < b ? -1 : 1;
  }
  return 0;
}

function nothing(what: string, expected: string, files: readonly string[]): HpsError {
  const found = files.slice(0, 8).map((name) => quote(name, 60));
  return new HpsError("precondition", `the image has ${what} in /boot`, {
    hint: `put ${expected} there: install a kernel package into the image. Found: ${found.join(", ") || "nothing"}`,
  });
}
