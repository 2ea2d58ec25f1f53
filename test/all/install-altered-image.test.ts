import { open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { plainMachine } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const HOST = { name: "web01", mac: "52:54:00:00:05:01" };
/** From power-on to an installer that waits, usually; and how long firmware looks at a disk. */
const BOOT_SECONDS = 90;
const DISK_SECONDS = 15;

/** The image's file, as hpsd keeps it. */
async function imageFile({ folder }: InstallRack): Promise<string> {
  const images = join(folder, "state", "images");
  const [name, ...more] = (await readdir(images)).filter((file) => /^[0-9a-f]{64}$/.test(file));
  if (name === undefined || more.length > 0) throw new Error(`${images} holds not one image`);
  return join(images, name);
}

/** The step image of this machine fails, and says which image is damaged. */
async function expectFailure(rack: InstallRack, vm: Vm): Promise<FollowedInstallation> {
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  const reason = await installation.becomes(InstallationState.FAILED);
  expect(reason).toContain(rack.image);
  const { steps } = await installation.get();
  expect(steps.find(({ name }) => name === "image")?.reason).toContain(rack.image);
  await vm.console.waitFor(new RegExp(rack.image), await limit(5));
  return installation;
}

/** Started from the disk alone, neither a boot loader's entry nor a kernel comes. */
async function expectNothingBootable(vm: Vm): Promise<void> {
  await vm.cutPower();
  vm.change({ bootOrder: "disk-first" });
  const from = await vm.powerOn();
  await vm.setLink(0, false); // what the disk does not start, the network would
  await vm.console.waitFor(/Booting from Hard Disk/, await limit(DISK_SECONDS), from);
  await expect(vm.console.waitFor(/Linux version|login:|HPS: slot/, DISK_SECONDS * 1000, from)).rejects.toThrow(
    "did not print",
  );
  await vm.cutPower();
  vm.change({ bootOrder: "network-first" });
}

scenario("image-altered", async () => {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  const file = await imageFile(rack);
  const middle = Math.floor((await stat(file)).size / 2);
  {
    await using handle = await open(file, "r+");
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, middle);
    byte.writeUInt8(byte.readUInt8() ^ 0x01);
    await handle.write(byte, 0, 1, middle);
  }
  await expectFailure(rack, vm);
  await expectNothingBootable(vm);
});

scenario("image-truncated", async () => {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  const file = await imageFile(rack);
  await truncate(file, Math.floor((await stat(file)).size / 2));
  await expectFailure(rack, vm);
  await expectNothingBootable(vm);
});

scenario("failed-stays", async () => {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  const file = await imageFile(rack);
  await truncate(file, 1024 * 1024);
  const installation = await expectFailure(rack, vm);
  const { steps } = await installation.get();
  for (const _ of ["first", "second"]) {
    await vm.cutPower();
    const from = await vm.powerOn();
    await vm.console.waitFor(/hpsctl installation retry/, await limit(BOOT_SECONDS), from);
    const now = await installation.get();
    expect(now.state).toBe(InstallationState.FAILED);
    expect(now.steps).toEqual(steps);
  }
  await expectNothingBootable(vm);
});
