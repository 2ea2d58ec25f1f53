import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { alterByte, cutInHalf, imageFile } from "../lab/image-damage.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectNothingBootable, plainMachine } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const HOST = { name: "web01", mac: "52:54:00:00:05:01" };
/** From power-on to an installer that waits, usually. */
const BOOT_SECONDS = 90;
/** An agent with leave to work begins at once. */
const QUIET_MS = 30_000;

/** Damages the image when the installation has passed all that hpsd and the machine look at beforehand; the step `image` fails and says which image it is. */
async function expectFailure(rack: InstallRack, vm: Vm, damage: (file: string) => Promise<void>) {
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.starts("storage");
  await damage(await imageFile(rack));
  const reason = await installation.becomes(InstallationState.FAILED);
  expect(reason).toContain(rack.image);
  const { steps } = await installation.get();
  expect(steps.find(({ name }) => name === "image")?.reason).toContain(rack.image);
  await vm.console.waitFor(new RegExp(`STOPPED in step image: .*${rack.image}`), await limit(5));
  return installation;
}

scenario("image-truncated", async () => {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  await expectFailure(rack, vm, cutInHalf);
  await expectNothingBootable(vm);
});

scenario("image-altered", async () => {
  await expectAltered();
});

scenario("failed-stays", async () => {
  await expectAltered(async (installation, vm) => {
    const { steps } = await installation.get();
    for (const _ of ["first", "second"]) {
      await vm.cutPower();
      const from = await vm.powerOn();
      await installation.becomes(InstallationState.FAILED); // as it was: it came back, and was told to wait
      await vm.console.waitFor(/info +attached/, await limit(BOOT_SECONDS), from);
      expect(await vm.console.waitFor(/step started/, QUIET_MS, from).catch(() => "quiet")).toBe("quiet");
      expect((await installation.get()).steps).toEqual(steps);
    }
  });
});

async function expectAltered(then?: (installation: FollowedInstallation, vm: Vm) => Promise<void>): Promise<void> {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  const installation = await expectFailure(rack, vm, alterByte);
  await then?.(installation, vm);
  await expectNothingBootable(vm);
}
