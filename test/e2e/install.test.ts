import { expect, test } from "vitest";
import { startInstallRack } from "../lab/install-rack.ts";
import { limit } from "../lab/vm/calibrate.ts";

const GIB = 1024 ** 3;
/** From power-on to the installed system's agent, and the patience of a whole test. */
const INSTALL_SECONDS = 300;
const PATIENCE = 60 * 60_000;

test.each([
  {
    title: "BIOS, virtio disk, virtio card",
    machine: { firmware: "bios", disks: [{ bus: "virtio", bytes: 24 * GIB }], nics: [{ mac: "52:54:00:00:01:01" }] },
  },
  {
    title: "UEFI, NVMe disk, e1000 card, 1 GiB",
    machine: {
      firmware: "uefi",
      memory: 1024,
      disks: [{ bus: "nvme", bytes: 24 * GIB }],
      nics: [{ mac: "52:54:00:00:01:02", model: "e1000" }],
    },
  },
] as const)("an empty machine becomes a host: $title", { timeout: PATIENCE }, async ({ machine }) => {
  await using rack = await startInstallRack();
  await using vm = await rack.addMachine({ ...machine, name: "web01" });
  const install = await rack.follow(["install", "web01", "--image", rack.image, "--watch"]);
  await install.waitFor(/web01/);
  const from = await vm.powerOn();
  const done = install.ended;
  const wait = await limit(INSTALL_SECONDS);
  const timer = setTimeout(() => void install.stop(), wait);
  const code = await done;
  clearTimeout(timer);
  expect(code, `${install.output()}\n${vm.console.tail(80)}`).toBe(0);
  expect(vm.console.text().slice(from)).toMatch(/web01 login:/);
  const host = (await rack.hpsctl("host", "get", "web01", "-o", "json")).stdout;
  expect(JSON.parse(host)).toMatchObject({ state: "INSTALLED", attached: true });
});
