import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect } from "vitest";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled, plainMachine } from "../lab/power-cut.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const AWAY_MS = 60_000;

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

/** Takes something away in the middle of the step `image`; nobody says a word. */
async function goesOn(name: string, mac: string, takeAway: (vm: Vm) => Promise<void>): Promise<void> {
  await using vm = await plainMachine(rack, { name, mac });
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.progresses("image", 0.3);
  await takeAway(vm);
  await installation.succeeds();
  await expectInstalled(rack, name);
  const { steps } = await installation.get();
  expect(steps.map(({ name, attempt }) => [name, attempt])).toContainEqual(["image", 1]);
}

scenario("hpsd-away", () => goesOn("away01", "52:54:00:00:04:01", () => rack.restart("SIGTERM", AWAY_MS)));

scenario("network-away", () =>
  goesOn("away02", "52:54:00:00:04:02", async (vm) => {
    await vm.setLink(0, false);
    await sleep(AWAY_MS);
    await vm.setLink(0, true);
  }),
);
