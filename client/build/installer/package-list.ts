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
  "ncurses-base",
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

/** What programs that draw on a terminal know of it, of ncurses-base: the types that shells are opened from. */
export const TERMINALS: readonly string[] = [
  "d/dumb",
  "l/linux",
  "s/screen",
  "s/screen-256color",
  "t/tmux",
  "t/tmux-256color",
  "v/vt100",
  "v/vt220",
  "x/xterm",
  "x/xterm-256color",
];
