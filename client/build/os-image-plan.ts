import { DEFAULT_PACKAGES, type OsImageOrder } from "./os-image-order.ts";

/** Files that a build reads and folders it fills, beside the order. */
export interface OsImagePlaces {
  /** Where packages of earlier builds are. */
  readonly packages: string;
  /** An empty folder: the packages this image holds are put there. */
  readonly used: string;
  /** An archive of the order's files and keys, relative to `/`; none when there are none. */
  readonly overlay?: string;
  /** Copies of the order's scripts, in order. */
  readonly scripts: readonly string[];
  /** The apt sources, as a file. */
  readonly sources: string;
}

/** Where a script of the order stands in the image while it runs. */
const SCRIPT = "/.hps-script";
/**
 * A copy of the configuration by which mmdebstrap's apt works on the image. It lies in the image's /tmp: without it, mmdebstrap would
 * empty the package lists of this machine in the end, and a script that tidies up is quick to take it away.
 */
const APT = "/.hps-apt";

/** The words after `mmdebstrap`; `apt` are lines of apt's configuration. The image comes on its standard output, as a tar archive. */
export function mmdebstrapArguments(order: OsImageOrder, places: OsImagePlaces, apt: readonly string[]): string[] {
  const packages = [...new Set([order.kernel, ...DEFAULT_PACKAGES, ...order.packages])];
  return [
    "--verbose",
    "--variant=apt",
    "--format=tar",
    ...apt.map((line) => `--aptopt=${line}`),
    // Whoever cuts the power of a build begins it anew: nothing has to be safe on the disk on the way.
    "--dpkgopt=force-unsafe-io",
    ...(order.slim ? SLIM.map((line) => `--dpkgopt=${line}`) : []),
    `--include=${packages.join(",")}`,
    "--skip=download/empty,essential/unlink",
    ...hooks(order, places),
    order.suite,
    "-",
    places.sources,
  ];
}

function hooks(order: OsImageOrder, { packages, used, overlay, scripts }: OsImagePlaces): string[] {
  return [
    `--setup-hook=${BEFORE}`,
    `--setup-hook=sync-in ${word(packages)} /var/cache/apt/archives`,
    `--customize-hook=${ONLY_USED}`,
    `--customize-hook=sync-out /var/cache/apt/archives ${word(used)}`,
    `--customize-hook=${SETTLE}`,
    ...(overlay === undefined ? [] : [`--customize-hook=tar-in ${word(overlay)} /`]),
    ...scripts.flatMap((script, index) => [
      `--customize-hook=upload ${word(script)} ${SCRIPT}`,
      `--customize-hook=${runScript(order.scripts[index] ?? "")}`,
    ]),
    `--customize-hook=${INITRD}`,
    ...(order.slim ? [`--customize-hook=${KEEP_SLIM}`] : []),
    `--customize-hook=${CLEAN}`,
  ];
}

/** A word of a hook's command line, whatever is in it. */
function word(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Before the first package: what every initrd of the image is made with; all that a host may boot from is in it. */
const BEFORE = `set -e
mkdir -p "$1/var/cache/apt/archives/partial" "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=most\\nCOMPRESS=zstd\\nCOMPRESSLEVEL=3\\n' > "$1/etc/initramfs-tools/conf.d/hps"`;

/** Of the packages at hand, those of earlier images are not this one's. A version's colon is %3a in a file's name. */
const ONLY_USED = `set -e
cd "$1/var/cache/apt/archives"
dpkg-query --admindir="$1/var/lib/dpkg" -W -f '\${Package}_\${Version}_\${Architecture}.deb\\n' | sed 's/:/%3a/g' > "$1/.hps-used"
for file in *.deb; do
  test -e "$file" || continue
  grep -qxF "$file" "$1/.hps-used" || rm -f "$file"
done
rm -rf "$1/.hps-used" partial lock`;

/**
 * The network by systemd-networkd and -resolved, which Debian installs switched off, or half of it. Whoever asked for NetworkManager or
 * ifupdown wants that one: two of them would both set up the same card. -resolved also put its own resolv.conf there, by which nothing
 * is found before the image runs: the scripts get this machine's.
 */
const SETTLE = `set -e
cp -p "$MMDEBSTRAP_APT_CONFIG" "$1${APT}"
cp -L --remove-destination /etc/resolv.conf "$1/etc/resolv.conf"
chroot "$1" systemctl enable systemd-resolved.service
test -e "$1/usr/sbin/NetworkManager" || test -e "$1/sbin/ifup" || chroot "$1" systemctl enable systemd-networkd.service`;

function runScript(name: string): string {
  return `set -e
echo ${word(`I: running the script ${name}`)} >&2
chmod 0755 "$1${SCRIPT}"
chroot "$1" env DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8 ${SCRIPT} || {
  echo ${word(`E: the script ${name} failed`)} >&2
  exit 1
}
rm -f "$1${SCRIPT}"
echo ${word(`I: the script ${name} is done`)} >&2`;
}

/** What a slim image leaves out, for dpkg; the last that fits counts. Licences stay, as they ask for it. */
const SLIM: readonly string[] = [
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/locale/*",
  "path-include=/usr/share/locale/locale.alias",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
  "path-exclude=/usr/share/lintian/*",
];

/** So that what is installed later stays slim too. */
const KEEP_SLIM = `set -e
grep '^path-' "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" > "$1/etc/dpkg/dpkg.cfg.d/hps-slim"`;

/** Once, when all that goes into it is there: INITRD=No kept the kernel's own installation from making it, and again for each trigger. */
const INITRD = `set -e
test -x "$1/usr/sbin/update-initramfs" || exit 0
unset INITRD
chroot "$1" update-initramfs -c -k all`;

/** An image is many hosts: it holds nothing that one host alone may have, and nothing of the machine that built it. */
const CLEAN = `set -e
test -e "$MMDEBSTRAP_APT_CONFIG" || cp -p "$1${APT}" "$MMDEBSTRAP_APT_CONFIG"
rm -f "$1${APT}" "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/var/lib/systemd/random-seed" "$1/var/lib/systemd/credential.secret"
rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old
rm -f "$1"/etc/*- "$1/var/lib/dbus/machine-id"
: > "$1/etc/machine-id"
find "$1/var/log" -type f -exec truncate -s 0 {} +
rm -rf "$1"/var/log/apt/* "$1"/var/log/journal/* "$1"/var/tmp/*
if cmp -s /etc/resolv.conf "$1/etc/resolv.conf"; then
  ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
fi`;
