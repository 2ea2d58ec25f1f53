import { afterAll, beforeAll } from "vitest";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled, plainMachine } from "../lab/power-cut.ts";
import { scenario } from "../runner/scenario.ts";

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

async function installsWithClock(clock: string, host: { readonly name: string; readonly mac: string }): Promise<void> {
  await using vm = await plainMachine(rack, host);
  vm.change({ clock });
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.succeeds();
  await expectInstalled(rack, host.name);
}

scenario("clock-2001", () => installsWithClock("2001-01-01T00:00:00", { name: "old01", mac: "52:54:00:00:06:01" }));
scenario("clock-2040", () => installsWithClock("2040-01-01T00:00:00", { name: "new01", mac: "52:54:00:00:06:02" }));
