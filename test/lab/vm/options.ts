import type { Rack } from "../rack.ts";

/** How a disk is attached. `scsi` is a SAS-like disk behind virtio-scsi; `usb` is a removable stick. */
type DiskBus = "virtio" | "nvme" | "sata" | "scsi" | "usb";

export interface VmDisk {
  readonly bus: DiskBus;
  /** In bytes. The file is sparse. Required unless `file` exists. */
  readonly bytes?: number;
  /** A file of the caller's, made when it does not exist and left when the machine is disposed of; else one of the machine's own. */
  readonly file?: string;
  /** Default: raw. */
  readonly format?: "raw" | "qcow2";
  /** What the disk calls a sector: 512 (default) or 4096. SATA disks of 4096 are emulated ones (512 logical, 4096 physical), as QEMU has no others. */
  readonly sector?: 512 | 4096;
  /** Default: `disk0`, `disk1` … */
  readonly serial?: string;
  /** World wide name, 16 hexadecimal digits; SATA and SCSI alone have one here. */
  readonly wwn?: string;
  /**
   * What becomes of writes: `writeback` (default) and `none` keep them in the host's cache or past it, `unsafe` ignores the guest's flushes.
   * A power cut (SIGKILL of QEMU) loses what the guest had not yet sent to its disk, with each of them: the host lives on.
   */
  readonly cache?: "writeback" | "none" | "unsafe";
}

export interface VmNic {
  readonly mac: string;
  /** Default: `virtio`. */
  readonly model?: "virtio" | "e1000" | "e1000e" | "i82551";
  /**
   * `plugged` (default): in the rack's switch. `dead`: the guest sees no carrier until `setLink(index, true)`.
   * `nowhere`: the guest sees a carrier, and nobody answers.
   */
  readonly cable?: "plugged" | "dead" | "nowhere";
  /** Another bridge of the server's namespace than the rack's. */
  readonly bridge?: string;
}

/** `firmware` leaves the order to the firmware's own settings (on UEFI the BootOrder of its variables). */
export type BootOrder = "network-first" | "disk-first" | "firmware";

export interface VmOptions {
  readonly rack: Pick<Rack, "server">;
  /** For messages and file names. Default: `vm`. */
  readonly name?: string;
  readonly firmware: "bios" | "uefi";
  /** UEFI that starts nothing but what Microsoft or the lab's key (`secure-boot.ts`) signed. */
  readonly secureBoot?: boolean;
  readonly disks?: readonly VmDisk[];
  readonly nics?: readonly VmNic[];
  /** In MiB. Default: 1024. */
  readonly memory?: number;
  /** Default: 2. */
  readonly cpus?: number;
  /** Default: `network-first`. */
  readonly bootOrder?: BootOrder;
  /** The disks, by their place in `disks`, as they come in that order; a BIOS calls the first one its first disk. Default: as they are. */
  readonly diskOrder?: readonly number[];
  /** What its clock says when the power comes on, `2001-01-01T00:00:00` in UTC. Default: now. */
  readonly clock?: string;
  /** SMBIOS, system. */
  readonly uuid?: string;
  readonly serial?: string;
  /** Boots this kernel without the firmware's search for one. */
  readonly kernel?: { readonly kernel: string; readonly initrd?: string; readonly append?: string };
  /** A screen, for `screendump`. Without one (the default) all goes to the serial console, as on a server. */
  readonly screen?: boolean;
  /** QEMU arguments behind all others. */
  readonly more?: readonly string[];
}
