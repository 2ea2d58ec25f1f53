import { HpsError } from "../../../proto/values/hps-error.ts";
import type { VmDisk, VmNic, VmOptions } from "./options.ts";

/** What the planner is told of files and devices that were made beforehand. */
export interface Made {
  readonly accelerator: "kvm" | "tcg";
  /** UEFI: the firmware, and this machine's own copy of its variables. */
  readonly code?: string;
  readonly vars?: string;
  /** One for each disk, in order. */
  readonly files: readonly string[];
  /** One tap device for each NIC, in order. */
  readonly taps: readonly string[];
  /** Where the serial console is kept, raw. */
  readonly consoleLog: string;
}

const CACHE = {
  writeback: "cache.direct=off,cache.no-flush=off",
  none: "cache.direct=on,cache.no-flush=off",
  unsafe: "cache.direct=off,cache.no-flush=on",
};
const NIC_MODEL = { virtio: "virtio-net-pci", e1000: "e1000", e1000e: "e1000e", i82551: "i82551" };

/**
 * QEMU's whole command line: the serial console on its standard input and output, QMP on file descriptor 3, the processors stopped
 * until QMP says `cont`. Disks are `disk0` …, NICs `nic0` …, for QMP too.
 */
export function commandLine(options: Omit<VmOptions, "rack">, made: Made): readonly string[] {
  const disks = options.disks ?? [];
  const nics = options.nics ?? [];
  const index = bootIndexes(options, disks.length, nics.length);
  return [
    ...["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-name", options.name ?? "vm"],
    ...machine(options, made),
    ...["-chardev", `stdio,id=console,signal=off,logfile=${escaped(made.consoleLog)},logappend=on`],
    ...["-serial", "chardev:console", "-chardev", "socket,id=qmp,fd=3", "-mon", "chardev=qmp,mode=control", "-S"],
    ...firmware(made, options.secureBoot === true),
    ...(disks.some(({ bus }) => bus === "scsi") ? ["-device", "virtio-scsi-pci,id=scsi0"] : []),
    ...(disks.some(({ bus }) => bus === "usb") ? ["-device", "qemu-xhci,id=usb0"] : []),
    ...disks.flatMap((disk, at) =>
      diskArguments(disk, { at, file: made.files[at] ?? "", boot: index.disk(at), sata: sataPort(disks, at) }),
    ),
    ...nics.flatMap((nic, at) =>
      nicArguments(nic, { at, tap: made.taps[at] ?? "", boot: index.nic(at), uefi: options.firmware === "uefi" }),
    ),
    ...kernel(options),
    ...(options.more ?? []),
  ];
}

function machine(options: Omit<VmOptions, "rack">, made: Made): readonly string[] {
  const system = ["type=1", "manufacturer=HPS", "product=lab"];
  if (options.uuid !== undefined) system.push(`uuid=${options.uuid}`);
  if (options.serial !== undefined) system.push(`serial=${escaped(options.serial)}`);
  // Without graphics SeaBIOS and iPXE write to the serial console.
  const screen = options.screen === true ? ["-vga", "std", "-display", "none"] : ["-vga", "none", "-display", "none"];
  return [
    ...["-machine", `q35,graphics=off,vmport=off${options.secureBoot === true ? ",smm=on" : ""}`],
    ...(made.accelerator === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg,thread=multi", "-cpu", "max"]),
    ...["-m", String(options.memory ?? 1024), "-smp", String(options.cpus ?? 2)],
    ...screen,
    ...["-smbios", system.join(",")],
    ...["-rtc", `base=${options.clock ?? "utc"}`],
  ];
}

function firmware({ code, vars }: Made, secure: boolean): readonly string[] {
  if (code === undefined || vars === undefined) return [];
  // Only in system management mode may the variables be written: that is what makes them the firmware's own.
  const guard = secure ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : [];
  const flash = (unit: number, file: string, readonly: string) =>
    `if=pflash,format=raw,unit=${unit},readonly=${readonly},file=${escaped(file)}`;
  return [...guard, "-drive", flash(0, code, "on"), "-drive", flash(1, vars, "off")];
}

interface DiskPlace {
  readonly at: number;
  readonly file: string;
  readonly boot: string;
  readonly sata: number;
}

/** The machine's own controller has six ports; SATA disks take them in order. */
function sataPort(disks: readonly VmDisk[], at: number): number {
  return disks.slice(0, at).filter(({ bus }) => bus === "sata").length;
}

function diskArguments(disk: VmDisk, { at, file, boot, sata }: DiskPlace): readonly string[] {
  const cache = CACHE[disk.cache ?? "writeback"];
  const backend = [
    ...["-blockdev", `driver=file,node-name=file${at},filename=${escaped(file)},discard=unmap,${cache}`],
    ...["-blockdev", `driver=${disk.format ?? "raw"},node-name=drive${at},file=file${at},discard=unmap,${cache}`],
  ];
  const serial = `serial=${escaped(disk.serial ?? `disk${at}`)}`;
  const common = `id=disk${at},drive=drive${at}${boot}`;
  const device = (bus: string) => [...backend, ...diskDevice(disk, bus, `${common},${serial}`)];
  if (disk.bus === "sata") return device(`ide.${sata}`);
  // A slot that a device can be pulled out of while the machine runs.
  const port = ["-device", `pcie-root-port,id=port${at},chassis=${at + 1}`];
  return disk.bus === "virtio" || disk.bus === "nvme" ? [...port, ...device(`port${at}`)] : device(`${disk.bus}0.0`);
}

function diskDevice({ bus, sector = 512, wwn }: VmDisk, place: string, common: string): readonly string[] {
  const sectors = `logical_block_size=${sector},physical_block_size=${sector}`;
  const name = wwn === undefined ? "" : `,wwn=0x${wwn}`;
  const on = `bus=${place},${common}`;
  switch (bus) {
    case "virtio":
      return ["-device", `virtio-blk-pci,${on},${sectors}`];
    case "nvme":
      return ["-device", `nvme,${on},${sectors}`];
    case "sata":
      return ["-device", `ide-hd,${on},physical_block_size=${sector}${name}`];
    case "scsi":
      return ["-device", `scsi-hd,${on},${sectors}${name}`];
    case "usb":
      return ["-device", `usb-storage,${on},removable=on,${sectors}`];
  }
}

interface NicPlace {
  readonly at: number;
  readonly tap: string;
  readonly boot: string;
  readonly uefi: boolean;
}

function nicArguments(nic: VmNic, { at, tap, boot, uefi }: NicPlace): readonly string[] {
  const model = nic.model ?? "virtio";
  // OVMF has its own driver for virtio and boots by its own PXE and HTTP; for the others the card's ROM brings one, as on real machines.
  const rom = uefi && model === "virtio" ? ",romfile=" : "";
  return [
    ...["-netdev", `tap,id=net${at},ifname=${tap},script=no,downscript=no`],
    ...["-device", `${NIC_MODEL[model]},id=nic${at},netdev=net${at},mac=${nic.mac}${boot}${rom}`],
  ];
}

function kernel({ kernel: direct }: Pick<VmOptions, "kernel">): readonly string[] {
  if (direct === undefined) return [];
  return [
    ...["-kernel", direct.kernel],
    ...(direct.initrd === undefined ? [] : ["-initrd", direct.initrd]),
    ...(direct.append === undefined ? [] : ["-append", direct.append]),
  ];
}

/** What each device says of its place in the order of boot. */
function bootIndexes(options: Pick<VmOptions, "bootOrder" | "diskOrder">, disks: number, nics: number) {
  const { bootOrder = "network-first", diskOrder = Array.from({ length: disks }, (_, at) => at) } = options;
  // From 1: a kernel that QEMU loads itself is 0.
  const say = (index: number) => (bootOrder === "firmware" ? "" : `,bootindex=${index + 1}`);
  const networkFirst = bootOrder === "network-first";
  return {
    disk: (at: number) => say((networkFirst ? nics : 0) + placeOf(at, diskOrder)),
    nic: (at: number) => say((networkFirst ? 0 : disks) + at),
  };
}

function placeOf(disk: number, order: readonly number[]): number {
  const place = order.indexOf(disk);
  if (place === -1)
    throw new HpsError("invalid", `the order of the disks, ${order.join(", ")}, leaves out disk ${disk}`);
  return place;
}

/** QEMU's option lists end a value at a comma, and take two for one. */
function escaped(value: string): string {
  return value.replaceAll(",", ",,");
}
