import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readFacts } from "./facts.ts";

let sys: string;
beforeEach(async () => {
  sys = await mkdtemp(join(tmpdir(), "hps-sys-"));
});
afterEach(() => rm(sys, { recursive: true }));

async function put(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(sys, path)), { recursive: true });
    await writeFile(join(sys, path), content);
  }
}

const NIC = {
  "class/net/eth7/address": "52:54:00:AB:00:01\n",
  "class/net/eth7/operstate": "up\n",
  "class/net/eth7/speed": "10000\n",
  "class/net/eth7/device/vendor": "0x1af4\n",
};

test("a machine as sysfs shows it", async () => {
  await put({
    ...NIC,
    "class/net/lo/address": "00:00:00:00:00:00\n",
    "class/net/veth1/address": "52:54:00:ab:00:02\n",
    "class/dmi/id/product_uuid": "4C4C4544-0042-3510-8052-B4C04F4A5931\n",
    "class/dmi/id/product_serial": "  SN 42\n",
    "class/dmi/id/sys_vendor": "Acme\n",
    "class/dmi/id/product_name": "\n",
    "firmware/efi/systab": "",
    "block/vda/size": "2097152\n",
    "block/vda/serial": "disk-1",
    "block/vda/device/vendor": "x",
    "block/vda/queue/rotational": "1\n",
    "block/vda/removable": "0\n",
    "block/vda/queue/logical_block_size": "4096\n",
    "firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": Buffer.from([6, 0, 0, 0, 1]),
    "block/sda/size": "8\n",
    "block/sda/device/model": "ACME DISK  \n",
    "block/sda/device/vpd_pg80": Buffer.from("\0\x80\0\x06 WD123", "latin1"),
    "block/loop0/size": "8\n",
    "block/sr0/size": "4000\n",
    "block/sr0/device/model": "CD\n",
  });
  const facts = await readFacts(sys);
  expect(facts).toMatchObject({
    macs: ["52:54:00:ab:00:01"],
    uuid: "4c4c4544-0042-3510-8052-b4c04f4a5931",
    serial: "SN 42",
    vendor: "Acme",
    firmware: "uefi",
    interfaces: [{ name: "eth7", up: true, speedMbps: 10_000 }],
    disks: [
      { name: "sda", sizeBytes: 4096, serial: "WD123", model: "ACME DISK" },
      {
        name: "vda",
        sizeBytes: 1_073_741_824,
        serial: "disk-1",
        rotational: true,
        removable: false,
        sectorBytes: 4096,
      },
    ],
    secureBoot: true,
  });
  expect(facts.product).toBeUndefined();
  expect(facts.memoryBytes).toBeGreaterThan(0);
  expect(facts.cpus).toBeGreaterThan(0);
});

/** A disk whose device is at `device`, as the links of sysfs say it. */
async function putDisk(name: string, device: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  await put({ [`devices/${device}/vendor`]: "x\n", [`block/${name}/size`]: "2048\n", ...files });
  await symlink(join(sys, "devices", device), join(sys, "block", name, "device"));
}

test("each disk has its transport, and the name that udev would give it by its path", async () => {
  const pci = "pci0000:00/0000:00";
  await put(NIC);
  await putDisk("vda", `${pci}:04.0/virtio1`);
  await putDisk("nvme0n1", `${pci}:05.0/0000:02:00.0/nvme/nvme0`, {
    "block/nvme0n1/nsid": "1\n",
    "block/nvme0n1/wwid": "eui.0025385b71b0a1c2\n",
  });
  await putDisk("sda", `${pci}:1f.2/ata3/host2/target2:0:0/2:0:0:0`, {
    [`devices/${pci}:1f.2/ata3/ata_port/ata3/port_no`]: "2\n",
    [`devices/${pci}:1f.2/ata3/host2/target2:0:0/2:0:0:0/wwid`]: "t10.ATA     QEMU HARDDISK   QM00001\n",
  });
  await putDisk("sdb", `${pci}:06.0/virtio3/host5/target5:0:3/5:0:3:1`, {
    [`devices/${pci}:06.0/virtio3/host4/x`]: "",
    [`devices/${pci}:06.0/virtio3/host5/target5:0:3/5:0:3:1/wwid`]: "naa.5000c500a1b2c3d4\n",
  });
  await putDisk("sdc", `${pci}:14.0/usb1/1-2/1-2.4:1.0/host6/target6:0:0/6:0:0:0`);
  await putDisk("sdd", `${pci}:07.0/host7/port-7:0/end_device-7:0/target7:0:0/7:0:0:0`, {
    [`devices/${pci}:07.0/host7/port-7:0/end_device-7:0/target7:0:0/7:0:0:0/sas_address`]: "0x5000c500a1b2c3d5\n",
  });
  await putDisk("mmcblk0", `${pci}:1a.0/mmc_host/mmc0/mmc0:0001`);
  await putDisk("mmcblk0boot0", `${pci}:1a.0/mmc_host/mmc0/mmc0:0001/b`);
  await putDisk("xda", "platform/x");
  const { disks } = await readFacts(sys);
  expect(disks.map(({ name, transport, path, wwn }) => [name, transport, path, wwn])).toEqual([
    ["mmcblk0", "mmc", "pci-0000:00:1a.0", undefined],
    ["nvme0n1", "nvme", "pci-0000:02:00.0-nvme-1", "eui.0025385b71b0a1c2"],
    ["sda", "sata", "pci-0000:00:1f.2-ata-2", undefined],
    ["sdb", "scsi", "pci-0000:00:06.0-scsi-1:0:3:1", "naa.5000c500a1b2c3d4"],
    ["sdc", "usb", "pci-0000:00:14.0-usb-0:2.4:1.0-scsi-0:0:0:0", undefined],
    ["sdd", "sas", "pci-0000:00:07.0-sas-0x5000c500a1b2c3d5-lun-0", undefined],
    ["vda", "virtio", "pci-0000:00:04.0", undefined],
    ["xda", undefined, undefined, undefined],
  ]);
});

test("hostile or missing parts are left out", async () => {
  await put({
    ...NIC,
    "class/net/eth7/speed": "-1\n",
    "class/net/ib0/address": "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:0f:cd\n",
    "class/dmi/id/product_uuid": "not a uuid\n",
    "class/dmi/id/product_serial": "x".repeat(5000),
    "class/dmi/id/sys_vendor": Buffer.from([0xff, 0xfe]),
    "block/sda/size": "many\n",
    "block/sda/device/vpd_pg80": Buffer.from("\0\x80\0\xff", "latin1"),
  });
  const facts = await readFacts(sys);
  expect(facts).toMatchObject({ macs: ["52:54:00:ab:00:01"], firmware: "bios", disks: [] });
  for (const key of ["uuid", "serial", "vendor"]) expect(facts).not.toHaveProperty(key);
  expect(facts.interfaces[0]).not.toHaveProperty("speedMbps");
});

test("where no interface has a device, as in a container, all but the loopback count; without any it says so", async () => {
  await expect(readFacts(sys)).rejects.toMatchObject({ code: "precondition" });
  await put({ "class/net/eth0/address": "02:42:ac:11:00:02\n" });
  expect((await readFacts(sys)).macs).toEqual(["02:42:ac:11:00:02"]);
});
