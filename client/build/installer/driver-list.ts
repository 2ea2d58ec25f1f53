/*
 * The modules an installer carries, by folder or name below `kernel/` of a kernel's modules; what these need comes with them. Bare metal's
 * network and disks, the file systems of installations and media, and virtual machines. No sound, no graphics, no wireless.
 */

/** Folders with all below them, and single modules. */
export const DRIVERS: readonly string[] = [
  "drivers/net/ethernet",
  "drivers/net/phy",
  "drivers/net/mdio",
  "drivers/net/pcs",
  "drivers/net/usb",
  "drivers/net/bonding",
  "drivers/net/vmxnet3",
  "drivers/net/hyperv",
  "drivers/net/virtio_net.ko",
  "drivers/net/xen-netfront.ko",
  "net/8021q",
  "net/bridge/bridge.ko",
  "drivers/nvme/host",
  "drivers/ata",
  "drivers/scsi",
  "drivers/message/fusion",
  "drivers/block/loop.ko",
  "drivers/block/nbd.ko",
  "drivers/block/virtio_blk.ko",
  "drivers/block/xen-blkfront.ko",
  "drivers/block/mtip32xx",
  "drivers/md",
  "drivers/mmc",
  "drivers/ufs",
  "drivers/pci/controller",
  "drivers/virtio",
  "drivers/hv",
  "drivers/usb/host",
  "drivers/usb/core",
  "drivers/usb/common",
  "drivers/usb/storage",
  "drivers/usb/dwc3",
  "drivers/hid/hid.ko",
  "drivers/hid/hid-generic.ko",
  "drivers/hid/hid-hyperv.ko",
  "drivers/hid/usbhid",
  "drivers/input/keyboard",
  "drivers/input/serio",
  "drivers/char/hw_random",
  "drivers/char/virtio_console.ko",
  "drivers/firmware",
  "drivers/cdrom",
  "fs/efivarfs",
  "fs/ext4",
  "fs/fat",
  "fs/isofs",
  "fs/nls",
  "fs/overlayfs",
  "fs/squashfs",
  "fs/xfs",
  "crypto",
  "arch/x86/crypto",
  "lib",
];

/** In those folders, but of no use to an installer. */
export const NOT_DRIVERS: readonly string[] = [
  "drivers/scsi/pcmcia",
  "drivers/scsi/scsi_debug.ko",
  "drivers/ata/pata_pcmcia.ko",
  "drivers/net/ethernet/8390/pcnet_cs.ko",
  "drivers/net/ethernet/8390/axnet_cs.ko",
  "drivers/md/bcache",
  "drivers/md/md-cluster.ko", // with it come a cluster's lock manager and its network
  "drivers/nvme/host/nvme-rdma.ko", // InfiniBand's core
  "drivers/scsi/qla2xxx/tcm_qla2xxx.ko", // a disk server's half
  "crypto/tcrypt.ko",
  "lib/test_",
];
