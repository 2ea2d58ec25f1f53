import { afterAll, beforeAll } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { cutPowerIn, expectInstalled, plainMachine } from "../lab/power-cut.ts";
import { scenario } from "../runner/scenario.ts";

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

scenario("power-storage", () => cutPowerIn("storage", rack, { name: "storage01", mac: "52:54:00:00:03:01" }));
scenario("power-image", () => cutPowerIn("image", rack, { name: "image01", mac: "52:54:00:00:03:06" }));
scenario("power-bootloader", () => cutPowerIn("bootloader", rack, { name: "boot01", mac: "52:54:00:00:03:02" }));
scenario("power-target-network", () => cutPowerIn("target-network", rack, { name: "net01", mac: "52:54:00:00:03:03" }));
scenario("power-finish", () => cutPowerIn("finish", rack, { name: "finish01", mac: "52:54:00:00:03:04" }));

scenario("power-resume-once", async () => {
  const host = { name: "once01", mac: "52:54:00:00:03:05", words: ["--resume", "once"] };
  await using vm = await plainMachine(rack, host);
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  for (const _ of ["first", "second"]) {
    // The second time it got here by itself.
    await installation.progresses("image", 0.3);
    await vm.cutPower();
    await vm.powerOn();
  }
  await installation.becomes(InstallationState.INTERRUPTED);
  await installation.retry();
  await installation.succeeds();
  await expectInstalled(rack, host.name);
});
