import { expect, test } from "vitest";
import { startInstallRack } from "../lab/install-rack.ts";
import { limit } from "../lab/vm/calibrate.ts";

const GIB = 1024 ** 3;
/** From power-on to the installed system's agent. */
const INSTALL_SECONDS = 300;
const PATIENCE = 90 * 60_000;

test.each([
  {
    title: "BIOS, virtio disk and card",
    image: "virtual",
    machine: { firmware: "bios", disks: [{ bus: "virtio", bytes: 24 * GIB }], nics: [{ mac: "52:54:00:00:01:01" }] },
  },
  {
    title: "UEFI, NVMe disk, e1000 card, 1 GiB of memory",
    image: "generic",
    machine: {
      firmware: "uefi",
      memory: 1024,
      disks: [{ bus: "nvme", bytes: 24 * GIB }],
      nics: [{ mac: "52:54:00:00:01:02", model: "e1000" }],
    },
  },
] as const)("an empty machine becomes a host: $title", { timeout: PATIENCE }, async ({ machine, image }) => {
  await using rack = await startInstallRack({ image });
  await using vm = await rack.addMachine({ ...machine, name: "web01" });
  const installing = await rack.arm("web01");
  const wait = await limit(INSTALL_SECONDS);
  await vm.powerOn();
  expect(await installing.end(wait), `${installing.program.output()}\n${vm.console.tail(80)}`).toBe(0);
  await vm.console.waitFor(/web01 login:/, wait);
  const host = JSON.parse((await rack.hpsctl("host", "get", "web01", "-o", "json")).stdout);
  expect(host).toMatchObject({ name: "web01", state: "HOST_STATE_INSTALLED", attached: true });
});
