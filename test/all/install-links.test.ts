import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { installerSet } from "../lab/artifacts.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { labFolder } from "../lab/janitor.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { VmNic, VmOptions } from "../lab/vm/options.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

/** From power-on to the installer's agent; firmware that waits for its dead cards has more. */
const ATTACH_SECONDS = 180;
/** Until hpsd's machine looks for the host's address at its other card. */
const REROUTE_SECONDS = 60;
const LEASE_SECONDS = 30;
const UCODE = "e100/d102e_ucode.bin";
const PACKAGE = "firmware-misc-nonfree";

/** A machine without a disk, all cards known by one address, that comes up in the installer and nothing else. */
async function rescued(rack: InstallRack, nics: readonly VmNic[], kernel?: VmOptions["kernel"]): Promise<Vm> {
  const known = nics.flatMap(({ mac }) => ["--mac", mac]);
  expect((await rack.hpsctl("host", "add", "links01", ...known, "--address", "10.77.0.30")).code).toBe(0);
  const vm = await rack.addMachine({
    name: "links01",
    known: false,
    firmware: "bios",
    nics,
    ...(kernel && { kernel }),
  });
  expect((await rack.hpsctl("host", "rescue", "links01")).code).toBe(0);
  await vm.powerOn();
  await vm.console.waitFor(/HPS: step configuration .*\n/, await limit(ATTACH_SECONDS));
  return vm;
}

async function inShell(rack: InstallRack, command: string): Promise<string> {
  const { code, stdout, stderr } = await rack.hpsctl("installer-shell", "links01", "--", "sh", "-c", command);
  expect(code, `${command}: ${stderr}`).toBe(0);
  return stdout.replaceAll("\r", "");
}

const mac = (card: number) => `52:54:00:00:0d:0${card}`;

scenario("many-links", async () => {
  await using rack = await startInstallRack({ image: "none" });
  const dead: VmNic = { mac: mac(1), cable: "dead" };
  const silent: VmNic = { mac: mac(2), cable: "nowhere" };
  await using vm = await rescued(rack, [dead, silent, { mac: mac(3) }, { mac: mac(4) }]);
  const said = vm.console.text();
  expect(said).toMatch(/eth0 \S+:01: no link: .*step=network/);
  expect(said).toMatch(/eth1 \S+:02: up, no answer to DHCP yet step=network/);
  const way = Number(/eth([23]) \S+: up, 10\.77\.0\.30\/24 .*, the way to hpsd/.exec(said)?.[1]);
  for (const pulled of [way, way === 2 ? 3 : 2]) {
    await vm.setLink(pulled, false);
    const carrier = () => inShell(rack, `cat /sys/class/net/eth${pulled}/carrier`).catch(() => "not reached");
    await expect.poll(carrier, { timeout: await limit(REROUTE_SECONDS), interval: 1_000 }).toBe("0\n");
    await vm.setLink(pulled, true);
    await expect.poll(carrier, { timeout: await limit(REROUTE_SECONDS), interval: 1_000 }).toBe("1\n");
  }
});

scenario("firmware-missing", async () => {
  await using rack = await startInstallRack({ image: "none" });
  await using vm = await rescued(rack, [{ mac: mac(1) }, { mac: mac(2), model: "i82551" }]);
  expect(vm.console.text()).toMatch(new RegExp(`e100 .* misses its firmware ${UCODE}; .*--firmware ${PACKAGE}`));
});

scenario("firmware", async () => {
  await using rack = await startInstallRack({
    image: "none",
    installer: (told) => installerSet({ ...told, firmware: [PACKAGE] }),
  });
  await using vm = await rescued(rack, [{ mac: mac(1) }, { mac: mac(2), model: "i82551" }]);
  expect(await inShell(rack, `ls /lib/firmware/${UCODE}`)).toContain(UCODE);
  const address = `for card in /sys/class/net/*; do grep -q ${mac(2)} $card/address && ip -4 addr show dev \${card##*/}; done; true`;
  await expect
    .poll(() => inShell(rack, address), { timeout: await limit(LEASE_SECONDS), interval: 1_000 })
    .toContain("10.77.0.30/24");
  expect(vm.console.text()).not.toContain("misses its firmware");
});

scenario("undionly", async () => {
  await using rack = await startInstallRack({ image: "none" });
  // All of QEMU's cards have iPXE in their ROM, which would ask for the script at once.
  const script = join(await labFolder(), "chain.ipxe");
  await writeFile(script, `#!ipxe\ndhcp net0\nchain tftp://${rack.rack.server.address}/undionly.kpxe\n`);
  await using vm = await rescued(rack, [{ mac: mac(1) }], { kernel: "/usr/lib/ipxe/ipxe.lkrn", initrd: script });
  expect(vm.console.text()).toMatch(/undionly\.kpxe[\s\S]*net0: \S+ using undionly on/);
});
