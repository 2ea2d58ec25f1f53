import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { parseLoadOption } from "../../installer-agent/plan/efi-load-option.ts";
import { HostState } from "../../proto/gen/hps/v1/host_pb.ts";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { copyDisk, diskDigest } from "../lab/disk-digest.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { InstalledHost } from "../lab/installed-host.ts";
import { CHOSEN, expectNewSystem, OLDER } from "../lab/older-disk.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const ORDERS = ["network-first", "disk-first"] as const;
/** From power-on to the installer's shell, to a login prompt, to iPXE's script, usually. */
const SHELL_SECONDS = 90;
const LOGIN_SECONDS = 60;
const SCRIPT_SECONDS = 60;
const RESET_SECONDS = 20;
const EFI_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

/** One machine of this firmware, installed once for all tests of a group; each leaves it installed, but the last. */
function installed(firmware: "bios" | "uefi", mac: string): () => InstalledHost {
  let host: InstalledHost | undefined;
  beforeAll(async () => {
    const disks = [{ bus: "virtio", bytes: 24 * GIB, serial: "system" }] as const;
    host = await InstalledHost.install(rack, { name: `${firmware}01`, firmware, disks, nics: [{ mac }] });
  });
  afterAll(() => host?.[Symbol.asyncDispose]());
  return () => host ?? expect.unreachable("it was not installed");
}

/** A disk that a host of this rack was installed to, and ran from: of the first group, unless that did not run. */
function olderDisk(): string {
  return join(rack.folder, "older-disk");
}

/** Up within twice the time, whichever comes first; the better of two of each, for this machine does other things too. */
async function expectBothOrders(host: InstalledHost): Promise<void> {
  const seconds: Record<(typeof ORDERS)[number], number[]> = { "network-first": [], "disk-first": [] };
  for (const order of [...ORDERS, ...ORDERS]) {
    await host.switchOff();
    const from = host.vm.console.mark();
    seconds[order].push(await host.switchOn(order));
    const byNetwork = host.vm.console.text().slice(from).includes(`HPS: ${host.vm.name} boots its disk`);
    expect(byNetwork).toBe(order === "network-first");
  }
  const ratio = Math.min(...seconds["network-first"]) / Math.min(...seconds["disk-first"]);
  process.stderr.write(`${host.vm.name}: ${JSON.stringify(seconds)}, ratio ${ratio.toFixed(2)}\n`);
  expect(ratio, JSON.stringify(seconds)).toBeLessThanOrEqual(2);
}

/** Has a host of which the system runs installed anew, by hpsctl. */
async function installAgain(host: InstalledHost, ...words: readonly string[]) {
  return await host.hpsctl("install", host.vm.name, "--image", rack.image, "--wipe", "--yes", ...words);
}

describe("BIOS", () => {
  const machine = installed("bios", "52:54:00:00:0a:01");
  beforeAll(async () => {
    await machine().switchOff();
    await copyDisk(machine().vm.diskFile(0), olderDisk());
  });

  scenario("order-bios", () => expectBothOrders(machine()));

  scenario("rescue", () => expectRescue(machine()));

  scenario("again-bios", async () => {
    const host = machine();
    const { vm } = host;
    for (const order of ORDERS) {
      await host.restart(order);
      const { code, stderr } = await installAgain(host, "--reboot");
      expect(stderr).toMatch(
        /cannot boot from the network: this machine has a BIOS.*the host is not armed\nhint: .*without --reboot.*power-cycle/,
      );
      expect(code).toBe(7);
      expect(await host.get()).toMatchObject({ state: HostState.INSTALLED, installation: "", attached: true });
    }
    const armed = await installAgain(host);
    expect(armed.stderr).toContain(
      "bios01: its installed system still runs: power-cycle it now, to boot from the network before ",
    );
    expect(armed.code).toBe(0);
    const again = await FollowedInstallation.newest(rack, vm);
    await vm.cutPower();
    // Not from the network, as hpsctl said: that is what somebody has to see to.
    const from = await vm.powerOn();
    await vm.console.waitFor(/bios01 login:/, await limit(LOGIN_SECONDS), from);
    expect(await again.get()).toMatchObject({ state: InstallationState.ARMED });
    await vm.cutPower();
    vm.change({ bootOrder: "network-first" });
    await vm.powerOn();
    await again.starts("storage");
    await vm.cutPower();
  });
});

describe("beside an older installation", () => {
  beforeAll(async () => {
    if (existsSync(olderDisk())) return;
    const disks = [{ bus: "virtio", bytes: 24 * GIB, file: olderDisk() }] as const;
    const nics = [{ mac: "52:54:00:00:0b:01" }];
    await using host = await InstalledHost.install(rack, { name: "older01", firmware: "bios", disks, nics });
    await host.switchOff();
  });

  scenario("two-disks-bios", () =>
    expectNewSystem(rack, olderDisk(), {
      ...{ name: "two01", firmware: "bios", mac: "52:54:00:00:0b:02", diskOrder: [CHOSEN, OLDER] },
      starts: [{ bootOrder: "disk-first", diskOrder: [CHOSEN, OLDER] }],
    }),
  );

  scenario("two-disks-uefi", () =>
    expectNewSystem(rack, olderDisk(), {
      ...{ name: "two02", firmware: "uefi", mac: "52:54:00:00:0b:03", diskOrder: [OLDER, CHOSEN] },
      starts: [
        { bootOrder: "network-first", diskOrder: [CHOSEN, OLDER] },
        { bootOrder: "disk-first", diskOrder: [CHOSEN, OLDER] },
      ],
    }),
  );
});

describe("UEFI", () => {
  const machine = installed("uefi", "52:54:00:00:0a:02");

  scenario("order-uefi", () => expectBothOrders(machine()));

  scenario("boot-entry", async () => {
    const said = await machine().restart("disk-first");
    const [, number] = /BdsDxe: starting Boot([0-9A-F]{4}) "HPS"/.exec(said) ?? expect.unreachable(said.slice(0, 2000));
    const [current = "", entry = ""] = await Promise.all(
      ["BootCurrent", `Boot${number}`].map((name) => variable(machine(), name)),
    );
    expect(Buffer.from(current, "hex").readUInt16LE(0).toString(16).padStart(4, "0")).toBe(number?.toLowerCase());
    expect(parseLoadOption(Buffer.from(entry, "hex"))).toMatchObject({
      ...{ description: "HPS", file: "\\EFI\\hps\\grubx64.efi" },
    });
  });

  scenario("again-uefi", async () => {
    const host = machine();
    await host.restart("disk-first");
    await expectNetboot(host).then((again) => again.succeeds());
    await host.isUp();
    await host.restart("network-first");
    await expectNetboot(host).then((again) => again.starts("storage"));
  });
});

/** `install --reboot` brings a running system into the installer without hands on it. */
async function expectNetboot(host: InstalledHost): Promise<FollowedInstallation> {
  const { vm } = host;
  const from = vm.console.mark();
  const { code, stderr } = await installAgain(host, "--reboot");
  expect(stderr).toContain(`${vm.name}: it restarts into the network now`);
  expect(code).toBe(0);
  const again = await FollowedInstallation.newest(rack, vm);
  await vm.console.waitFor(
    new RegExp(`HPS: installing ${vm.name}, installation ${again.id}`),
    await limit(SCRIPT_SECONDS),
    from,
  );
  return again;
}

/** The value of a firmware's variable, in hexadecimal, as the running system reads it. */
async function variable(host: InstalledHost, name: string): Promise<string> {
  const read = `od -An -v -tx1 -j4 /sys/firmware/efi/efivars/${name}-${EFI_GLOBAL} | tr -d ' \\n'`;
  return (await host.shell(read)).trim();
}

async function expectRescue(host: InstalledHost): Promise<void> {
  const { vm } = host;
  await host.switchOff();
  const before = await diskDigest(vm.diskFile(0));
  const rescue = await rack.follow(["host", "rescue", vm.name, "--watch"]);
  await rescue.waitFor(/power it on, to boot from the network/);
  vm.change({ bootOrder: "network-first" });
  await vm.powerOn();
  await rescue.waitFor(
    new RegExp(`the shell is there: hpsctl installer-shell lab/${vm.name}`),
    await limit(SHELL_SECONDS),
  );
  expect(await rescue.ended).toBe(0);
  const { code, stdout, stderr } = await host.hpsctl("installer-shell", vm.name, "--", "lsblk");
  expect(stdout, stderr).toMatch(/^vda .*24G.*disk/m);
  expect(stdout).toMatch(/vda7 .*1G.*part/);
  expect(code).toBe(0);
  expect(await diskDigest(vm.diskFile(0)), "a rescue wrote to the disk").toBe(before);
  const cancelled = await host.hpsctl("installation", "cancel", vm.name, "--yes");
  expect(cancelled.code, cancelled.stderr).toBe(0);
  await vm.waitForReset(await limit(RESET_SECONDS));
  await host.isUp();
}
