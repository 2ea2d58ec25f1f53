import type { DiskFormat } from "./disk-format.ts";

export interface ReaderPlan {
  readonly disk: string;
  readonly format: DiskFormat;
  readonly kernel: string;
  readonly initrd: string;
  /** Where what the kernel says is kept. */
  readonly console: string;
  readonly accelerator: "kvm" | "tcg";
  readonly partition?: number;
}

/**
 * QEMU's words for a machine that has the disk and nothing else: no network, no screen. The tree comes on its standard output, what the
 * machine says on file descriptor 3. What the guest writes to the disk (a journal that is replayed) goes into a file that QEMU forgets.
 */
export function readerArguments(plan: ReaderPlan): string[] {
  const { disk, format, kernel, initrd, partition } = plan;
  const words = ["console=ttyS0", "quiet", "panic=-1", "rdinit=/hps-disk-init"];
  if (partition !== undefined) words.push(`hps.partition=${partition}`);
  return [
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "none", "-m", "1024", "-smp", "2"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...(plan.accelerator === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg,thread=multi", "-cpu", "max"]),
    ...["-kernel", kernel, "-initrd", initrd, "-append", words.join(" ")],
    ...["-chardev", `file,id=console,path=${escaped(plan.console)}`, "-serial", "chardev:console"],
    ...["-drive", `file=${escaped(disk)},format=${format},if=none,id=disk,snapshot=on`],
    ...["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-serial-pci"],
    ...["-chardev", "stdio,id=data,signal=off", "-device", "virtserialport,chardev=data,name=hps.data"],
    ...["-chardev", "socket,id=say,fd=3", "-device", "virtserialport,chardev=say,name=hps.say"],
  ];
}

/** QEMU ends a value at a comma, unless there are two. */
function escaped(path: string): string {
  return path.replaceAll(",", ",,");
}
