import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** What a Debian image is to be made of; every word checked. */
export interface OsImageOrder {
  /** Debian release: `bookworm`. */
  readonly suite: string;
  /** Package that brings the kernel. */
  readonly kernel: string;
  /** Packages beside the default ones. */
  readonly packages: readonly string[];
  readonly files: readonly CopiedFile[];
  /** Programs run in the image when everything is installed, in order. */
  readonly scripts: readonly string[];
  /** Files of public keys that may log in as root. */
  readonly sshKeys: readonly string[];
  /** Without manual pages, documentation (but for licences) and translations. */
  readonly slim: boolean;
  /** Archive instead of this machine's own apt sources. */
  readonly mirror?: string;
}

interface CopiedFile {
  readonly from: string;
  /** Absolute path in the image. */
  readonly to: string;
}

/** The words of a command line that say what an image is made of. */
export interface OsImageWords {
  readonly suite: string;
  readonly kernel: string;
  readonly package?: readonly string[];
  readonly file?: readonly string[];
  readonly script?: readonly string[];
  readonly sshKey?: readonly string[];
  readonly slim?: boolean;
  readonly mirror?: string;
}

/** Small and real: it boots, gets an address and a name server, keeps time, lets people in by SSH and checks its own disks. */
export const DEFAULT_PACKAGES: readonly string[] = [
  "ca-certificates",
  "dbus",
  "dosfstools",
  "e2fsprogs",
  "iproute2",
  "iputils-ping",
  "kmod",
  "less",
  "libpam-systemd",
  "nano-tiny",
  "netbase",
  "openssh-server",
  "procps",
  "systemd-resolved",
  "systemd-sysv",
  "systemd-timesyncd",
  "udev",
  "zstd",
];

/** Throws an HpsError that names the word that is wrong. */
export function parseOsImageOrder(words: OsImageWords): OsImageOrder {
  return {
    suite: parseSuite(words.suite),
    kernel: parsePackage(words.kernel),
    packages: (words.package ?? []).map(parsePackage),
    files: (words.file ?? []).map(parseCopiedFile),
    scripts: words.script ?? [],
    sshKeys: words.sshKey ?? [],
    slim: words.slim ?? false,
    ...(words.mirror !== undefined && { mirror: parseMirror(words.mirror) }),
  };
}

function parseSuite(text: string): string {
  if (/^[a-z][a-z0-9.-]{0,63}$/.test(text)) return text;
  throw new HpsError("invalid", `not a Debian suite: ${quote(text)}`, { hint: "such as bookworm or trixie" });
}

/** `name`, `name=version` or `name/suite`, as apt takes them; nothing that apt would read as an option. */
function parsePackage(text: string): string {
  if (/^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+|\/[a-z][a-z0-9.-]*)?$/.test(text)) return text;
  throw new HpsError("invalid", `not a Debian package: ${quote(text)}`, {
    hint: "write its name, or name=version; give --package again for each",
  });
}

function parseCopiedFile(text: string): CopiedFile {
  const at = text.lastIndexOf(":");
  const [from, to] = [text.slice(0, at), text.slice(at + 1)];
  const parts = to.split("/").slice(1);
  const plain = to.startsWith("/") && parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (at > 0 && plain && !to.includes("\0")) return { from, to };
  throw new HpsError("invalid", `not a file to copy: ${quote(text)}`, {
    hint: "write SOURCE:DESTINATION with a whole destination path: motd:/etc/motd",
  });
}

function parseMirror(text: string): string {
  if (/^(https?|file):\/\/?[^\s[\]<>"']+$/.test(text)) return text;
  throw new HpsError("invalid", `not an archive's address: ${quote(text)}`, {
    hint: "such as http://deb.debian.org/debian",
  });
}
