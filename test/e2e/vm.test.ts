import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { labFolder, labFolders, labNamespaces } from "../lab/janitor.ts";
import { startProgram } from "../lab/program.ts";
import { createRack, type Rack } from "../lab/rack.ts";
import { run } from "../lab/run.ts";
import { guestKernel, smallInitrd } from "../lab/vm/boot-files.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { createVm } from "../lab/vm/vm.ts";

const GIB = 1024 ** 3;
const MACS = ["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"] as const;
/** What the machine is made of, as its kernel sees it, once it sees `disks=` disks; then it waits for a line typed on the console. */
const REPORT = `
disks=$(sed -n 's/.*disks=\\([0-9]*\\).*/\\1/p' /proc/cmdline)
until [ $(ls -d /sys/block/[vsn]* 2>/dev/null | wc -l) -ge $disks ]; do sleep 0.1; done
for disk in /sys/block/[vsn]*; do
  serial=$(cat $disk/serial $disk/device/serial $disk/device/vpd_pg80 2>/dev/null | tr -dc 'a-z' | head -n1)
  echo "disk $(basename $disk | tr -d 0-9) $(cat $disk/size) $(cat $disk/queue/logical_block_size)/$(cat $disk/queue/physical_block_size)" \\
    "removable=$(cat $disk/removable) serial=$serial $(cat $disk/device/wwid 2>/dev/null)"
done
for nic in /sys/class/net/e*; do ip link set $(basename $nic) up; done
sleep 4
for nic in /sys/class/net/e*; do
  echo "nic $(cat $nic/address) $(basename $(readlink $nic/device/driver)) carrier=$(cat $nic/carrier)"
done
echo "clock $(date -u +%Y-%m-%d)"
echo "system $(cat /sys/class/dmi/id/product_uuid) $(cat /sys/class/dmi/id/product_serial)"
[ -d /sys/firmware/efi ] && echo "firmware uefi" || echo "firmware bios"
echo "reported"
read line; echo "typed: $line"
poweroff -f
`;

let initrd = "";
let kernel = "";

beforeAll(async () => {
  initrd = join(await labFolder(), "initrd");
  await smallInitrd(initrd, REPORT);
  ({ kernel } = await guestKernel());
});

const direct = (disks: number) => ({ kernel, initrd, append: `console=ttyS0 quiet loglevel=1 disks=${disks}` });

describe.each(["bios", "uefi"] as const)("a machine with %s", (firmware) => {
  test("has the disks, the NICs, the identity and the clock it was given", { timeout: 600_000 }, async () => {
    await using rack = await createRack();
    await using vm = await createVm({
      rack,
      firmware,
      memory: 512,
      clock: "2001-02-03T04:05:06",
      uuid: "0198f6f4-0000-7000-8000-00000000000a",
      serial: "rack 1, box 7",
      kernel: direct(7),
      disks: [
        { bus: "virtio", bytes: 1 * GIB, serial: "first" },
        { bus: "nvme", bytes: 2 * GIB, serial: "second", format: "qcow2" },
        { bus: "sata", bytes: 3 * GIB, serial: "third", sector: 4096, wwn: "5000c50015ea71ac" },
        { bus: "scsi", bytes: 4 * GIB, serial: "fourth", sector: 4096, wwn: "5000c50015ea71ad" },
        { bus: "usb", bytes: 5 * GIB, serial: "fifth" },
        { bus: "virtio", bytes: 6 * GIB, serial: "sixth", sector: 4096 },
        { bus: "nvme", bytes: 7 * GIB, serial: "seventh", sector: 4096 },
      ],
      nics: [
        { mac: MACS[0] },
        { mac: MACS[1], model: "e1000", cable: "dead" },
        { mac: MACS[2], model: "e1000e", cable: "nowhere" },
      ],
    });
    await vm.powerOn();
    await vm.console.waitFor(/^reported$/m, await limit(15));
    const lines = vm.console.text().split("\n");
    expect(lines.filter((line) => /^(disk|nic|clock|system|firmware) /.test(line)).sort()).toEqual([
      "clock 2001-02-03",
      "disk nvmen 14680064 4096/4096 removable=0 serial=seventh ",
      "disk nvmen 4194304 512/512 removable=0 serial=second ",
      "disk sda 6291456 512/4096 removable=0 serial=third naa.5000c50015ea71ac",
      "disk sdb 8388608 4096/4096 removable=0 serial=fourth naa.5000c50015ea71ad",
      "disk sdc 10485760 512/512 removable=1 serial= ",
      "disk vda 2097152 512/512 removable=0 serial=first ",
      "disk vdb 12582912 4096/4096 removable=0 serial=sixth ",
      `firmware ${firmware}`,
      "nic 52:54:00:00:00:01 virtio_net carrier=1",
      "nic 52:54:00:00:00:02 e1000 carrier=0",
      "nic 52:54:00:00:00:03 e1000e carrier=1",
      "system 0198f6f4-0000-7000-8000-00000000000a rack 1, box 7",
    ]);
    vm.console.type("hello\r");
    await vm.console.waitFor(/^typed: hello$/m, await limit(2));
    await vm.waitForOff(await limit(3));
    expect(await vm.status()).toBe("off");
  });
});

/** A boot server as plain as can be: an address, a file by TFTP, and for iPXE its script. */
async function serveBoot(rack: Rack): Promise<void> {
  const folder = await labFolder();
  for (const name of ["ipxe.efi", "undionly.kpxe"]) await copyFile(`/usr/lib/ipxe/${name}`, join(folder, name));
  await copyFile(kernel, join(folder, "kernel"));
  await copyFile(initrd, join(folder, "initrd"));
  const load = `kernel kernel initrd=initrd console=ttyS0 quiet loglevel=1 disks=1\ninitrd initrd\nboot\n`;
  await writeFile(join(folder, "script"), `#!ipxe\necho the script runs on $\{platform}\n${load}`);
  await rack.start({
    argv: [
      ...["dnsmasq", "-k", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--bind-interfaces", "--no-ping"],
      ...["--leasefile-ro", "--log-facility=-", "--user=root", "--pid-file=", "--log-dhcp"],
      ...["--dhcp-range=10.77.0.50,10.77.0.60,255.255.255.0,2m", "--enable-tftp", `--tftp-root=${folder}`],
      ...["--dhcp-match=set:ipxe,175", "--dhcp-match=set:uefi,option:client-arch,7", "--dhcp-boot=undionly.kpxe"],
      ...["--dhcp-boot=tag:uefi,tag:!ipxe,ipxe.efi", "--dhcp-boot=tag:ipxe,script"],
    ],
    readyLine: /TFTP root/,
  });
}

test.each([
  ["bios", "virtio", "pcbios"],
  ["bios", "e1000", "pcbios"],
  ["uefi", "virtio", "efi"],
  ["uefi", "e1000", "efi"],
] as const)(
  "a %s machine with a %s card starts from the network by its own firmware",
  { timeout: 600_000 },
  async (firmware, model, platform) => {
    await using rack = await createRack();
    await serveBoot(rack);
    await using vm = await createVm({
      rack,
      firmware,
      memory: 512,
      disks: [{ bus: "virtio", bytes: GIB }],
      nics: [{ mac: MACS[0], model }],
    });
    await vm.powerOn();
    await vm.console.waitFor(new RegExp(`the script runs on ${platform}`), await limit(30));
    await vm.console.waitFor(/^reported$/m, await limit(30));
    expect(vm.console.text()).toMatch(new RegExp(`^firmware ${firmware}$`, "m"));
  },
);

/** Says what it finds at two places of its disk, writes there, and gives only the first to the disk. */
const WRITE = `
until [ -b /dev/vda ]; do sleep 0.1; done
echo "found: $(dd if=/dev/vda bs=4 count=1 2>/dev/null) $(dd if=/dev/vda bs=4 count=1 skip=1024 2>/dev/null)"
exec 3<>/dev/vda
echo -n kept | dd of=/dev/vda conv=notrunc,fsync 2>/dev/null
echo -n lost | dd of=/dev/vda bs=4 seek=1024 conv=notrunc 2>/dev/null
echo "written"
while read line; do cat /sys/class/net/eth0/carrier; [ -b /dev/vda ] && echo "disk" || echo "no disk"; done
`;

test("a power cut loses what was not given to the disk, and nothing else", { timeout: 600_000 }, async () => {
  const own = join(await labFolder(), "initrd");
  await smallInitrd(own, WRITE);
  await using rack = await createRack();
  await using vm = await createVm({
    rack,
    firmware: "bios",
    memory: 512,
    kernel: { kernel, initrd: own, append: "console=ttyS0 quiet loglevel=1 net.ifnames=0" },
    disks: [{ bus: "virtio", bytes: GIB }],
    nics: [{ mac: MACS[0] }],
  });
  const wait = await limit(15);
  await vm.powerOn();
  await vm.console.waitFor(/^written$/m, wait);
  await vm.cutPower();
  await expect(vm.console.waitFor(/never/, wait)).rejects.toThrow(/is off and did not print.*written/s);
  const second = await vm.powerOn();
  await vm.console.waitFor(/^found: kept \nwritten$/m, wait, second);

  const third = vm.console.mark();
  await vm.reset();
  await vm.waitForReset(wait);
  await vm.console.waitFor(/^written$/m, wait, third);
  expect(await vm.status()).toBe("running");
  await vm.pullDisk(0, wait);
  vm.console.type("\r");
  await vm.console.waitFor(/^no disk$/m, wait, third);
});

async function leftOf(owner: number): Promise<readonly string[]> {
  const namespaces = (await labNamespaces()).filter((one) => one.owner === owner).map(({ ns }) => ns);
  const folders = (await labFolders()).filter((one) => one.owner === owner).map(({ folder }) => folder);
  const machines = (await run(["pgrep", "-f", `qemu-system.*victim-${owner}`])).stdout.split("\n");
  return [...namespaces, ...folders, ...machines.filter((pid) => pid !== "")];
}

test.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)(
  "a test that ends by %s leaves no QEMU, no namespace, no file",
  { timeout: 600_000 },
  async (signal) => {
    const lab = (file: string) => JSON.stringify(new URL(`../lab/${file}`, import.meta.url).href);
    const code = `import { createRack } from ${lab("rack.ts")}; import { createVm } from ${lab("vm/vm.ts")};
    const rack = await createRack();
    const disks = [{ bus: "virtio", bytes: 2 ** 30 }], nics = [{ mac: "${MACS[0]}" }];
    const vm = await createVm({ rack, name: "victim-" + process.pid, firmware: "uefi", disks, nics });
    await vm.powerOn(); console.log("on"); setInterval(() => {}, 1000);`;
    const argv = [process.execPath, "--input-type=module", "-e", code];
    const victim = await startProgram({ argv, readyLine: /^on$/m, readyMs: await limit(20) });
    expect(await leftOf(victim.pid)).toHaveLength(3);
    await victim.stop(signal);
    await expect.poll(() => leftOf(victim.pid), { timeout: await limit(2) }).toEqual([]);
  },
);
