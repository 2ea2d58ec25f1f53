import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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
    "block/sda/size": "8\n",
    "block/sda/device/model": "ACME DISK  \n",
    "block/sda/device/vpd_pg80": Buffer.from("\0\x80\0\x06 WD123", "latin1"),
    "block/loop0/size": "8\n",
    "block/sr0/size": "0\n",
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
      { name: "vda", sizeBytes: 1_073_741_824, serial: "disk-1", rotational: true, removable: false },
    ],
  });
  expect(facts.product).toBeUndefined();
  expect(facts.memoryBytes).toBeGreaterThan(0);
  expect(facts.cpus).toBeGreaterThan(0);
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
