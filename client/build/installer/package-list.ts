/** Debian packages the installer is made of; what they depend on is brought, and taken as far as it is used. */
export const PACKAGES: readonly string[] = [
  "busybox-static",
  "dosfstools",
  "e2fsprogs",
  "efibootmgr",
  "fdisk",
  "grub-common",
  "grub-efi-amd64-bin",
  "grub-pc-bin",
  "ipxe",
  "kmod",
  "libc6",
  "libgcc-s1",
  "libstdc++6",
  "mount",
  "openssh-client",
  "squashfs-tools",
  "util-linux",
  "xz-utils",
  "zstd",
];

/** Programs of the tools image, by path below /usr. */
export const TOOLS: readonly string[] = [
  "bin/lsblk",
  "bin/ssh-keygen",
  "bin/xz",
  "bin/efibootmgr",
  "sbin/badblocks",
  "sbin/blkdiscard",
  "sbin/blkid",
  "sbin/blockdev",
  "sbin/dosfslabel",
  "sbin/dumpe2fs",
  "sbin/e2fsck",
  "sbin/fsck.fat",
  "sbin/losetup",
  "sbin/mke2fs",
  "sbin/mkfs.fat",
  "sbin/resize2fs",
  "sbin/sfdisk",
  "sbin/tune2fs",
  "sbin/wipefs",
];

/** Other names of those. */
export const TOOL_NAMES: Readonly<Record<string, string>> = {
  "sbin/e2label": "tune2fs",
  "sbin/fsck.ext4": "e2fsck",
  "sbin/fsck.vfat": "fsck.fat",
  "sbin/mkfs.ext4": "mke2fs",
  "sbin/mkfs.vfat": "mkfs.fat",
};
