import { expect, test } from "vitest";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";

const GIB = 1024 ** 3;
const INSTALL_SECONDS = 300;
/** From power-on to the first step. */
const BOOT_SECONDS = 90;
const PATIENCE = 90 * 60_000;
const WAITS_FOR_OPERATOR = 7;

/** Presses the power button, and pulls the plug in the middle of a step. */
async function cutIn(step: string, { rack, vm }: { rack: InstallRack; vm: Vm }): Promise<void> {
  const watch = await rack.follow(["installation", "watch", "web01"]);
  const boot = await vm.powerOn();
  await watch.waitFor(new RegExp(`${step}: (started|[1-9])`), await limit(BOOT_SECONDS * 2));
  await vm.cutPower();
  await watch.stop();
  expect(vm.console.text().slice(boot)).toContain("HPS:");
}

test("a power cut while the image is written interrupts the installation, and retry completes it", {
  timeout: PATIENCE,
}, async () => {
  await using rack = await startInstallRack();
  await using vm = await rack.addMachine({
    name: "web01",
    firmware: "bios",
    disks: [{ bus: "virtio", bytes: 24 * GIB }],
    nics: [{ mac: "52:54:00:00:02:01" }],
  });
  const installing = await rack.arm("web01");
  await cutIn("image", { rack, vm });
  await vm.powerOn();
  expect(await installing.end(await limit(INSTALL_SECONDS))).toBe(WAITS_FOR_OPERATOR);
  expect(installing.program.output()).toMatch(/interrupted/i);
  const again = await rack.follow(["installation", "retry", "web01", "--wait"]);
  await again.waitFor(/succeeded/, await limit(INSTALL_SECONDS));
  expect(await again.ended).toBe(0);
});
