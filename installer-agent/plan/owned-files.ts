/**
 * What the installer owns in the root of an installed system: everything else equals the image, entry by entry. A star
 * stands for any characters but a slash. Every file that a step writes is one of these, or the tests fail; docs/installation.md
 * says why each is there.
 */
export const OWNED_FILES: readonly string[] = [
  "etc/fstab",
  "etc/hostname",
  "etc/hosts",
  "etc/machine-id",
  "etc/resolv.conf",
  "etc/ssh/ssh_host_*",
  "etc/systemd/network/10-hps.network",
  "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
  "etc/network/interfaces.d/hps",
  "etc/NetworkManager/system-connections/hps.nmconnection",
  "etc/systemd/system/hps-agent.service",
  "etc/systemd/system/multi-user.target.wants/hps-agent.service",
  "boot/slot.cfg",
  // Where file systems are mounted, made where the image has none: what the image holds in them is hidden.
  "boot/efi",
  "var/lib/hps",
  // Every ext4 has one.
  "lost+found",
  "boot/lost+found",
];

/** Whether the installer owns the entry at `path`, which has no slash in front. */
export function isOwned(path: string): boolean {
  return OWNED_FILES.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replaceAll(/[.+]/g, String.raw`\$&`));
    return new RegExp(`^${parts.join("[^/]*")}$`).test(path);
  });
}
