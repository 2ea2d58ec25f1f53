import { expect, test } from "vitest";
import { commandLine, type Made } from "./command-line.ts";
import type { VmOptions } from "./options.ts";

const DISKS = [
  { bus: "sata", serial: "a,b" },
  { bus: "nvme", sector: 4096 },
  { bus: "sata", sector: 4096, wwn: "5000c50015ea71ac" },
] as const;
const NICS = [{ mac: "52:54:00:00:00:01" }, { mac: "52:54:00:00:00:02", model: "e1000" }] as const;
const MADE: Made = { accelerator: "tcg", files: ["/a,b", "/d1", "/d2"], taps: ["tap1", "tap2"], consoleLog: "/log" };

function devices(options: Partial<VmOptions>, made: Partial<Made> = {}): readonly string[] {
  const argv = commandLine({ firmware: "bios", disks: DISKS, nics: NICS, ...options }, { ...MADE, ...made });
  return argv.filter((_, at) => argv[at - 1] === "-device");
}

test("the order of boot is one of devices, the network's or the disks' first, or the firmware's own", () => {
  const order = (options: Partial<VmOptions>) =>
    devices(options).flatMap((device) => {
      const found = /id=(\w+).*bootindex=(\d+)/.exec(device);
      return found === null ? [] : [`${found[2]} ${found[1]}`];
    });
  expect(order({}).sort()).toEqual(["1 nic0", "2 nic1", "3 disk0", "4 disk1", "5 disk2"]);
  expect(order({ bootOrder: "disk-first" }).sort()).toEqual(["1 disk0", "2 disk1", "3 disk2", "4 nic0", "5 nic1"]);
  expect(order({ bootOrder: "firmware" })).toEqual([]);
  expect(order({ diskOrder: [2, 0, 1] }).sort()).toEqual(["1 nic0", "2 nic1", "3 disk2", "4 disk0", "5 disk1"]);
  expect(() => order({ diskOrder: [2, 0] })).toThrow("leaves out disk 1");
});

test("SATA disks take the controller's ports in order, commas are kept, sectors are as said", () => {
  const found = devices({});
  expect(found[0]).toBe("ide-hd,bus=ide.0,id=disk0,drive=drive0,bootindex=3,serial=a,,b,physical_block_size=512");
  expect(found).toContainEqual(expect.stringMatching(/^nvme,bus=port1,.*logical_block_size=4096/));
  expect(found).toContainEqual(
    expect.stringMatching(/^ide-hd,bus=ide\.1,.*physical_block_size=4096,wwn=0x5000c50015ea71ac$/),
  );
  expect(commandLine({ firmware: "bios", disks: DISKS }, MADE).join(" ")).toContain("filename=/a,,b,");
});

test("UEFI boots a virtio card by its own network stack, and has flash", () => {
  const uefi = { code: "/code", vars: "/vars" };
  expect(devices({ firmware: "uefi" }, uefi)).toContainEqual(expect.stringMatching(/^virtio-net-pci,.*romfile=$/));
  expect(devices({ firmware: "uefi" }, uefi)).not.toContainEqual(expect.stringMatching(/^e1000,.*romfile/));
  const argv = commandLine({ firmware: "uefi" }, { ...MADE, ...uefi });
  expect(argv).toContain("if=pflash,format=raw,unit=1,readonly=off,file=/vars");
});
