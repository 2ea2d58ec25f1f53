import { join } from "node:path";
import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { installerSet } from "../lab/artifacts.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { labFolder } from "../lab/janitor.ts";
import { must } from "../lab/run.ts";
import { signedSet } from "../lab/secure-boot.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
/** From power-on to the firmware's word about what it loaded. */
const FIRMWARE_SECONDS = 60;
/** hpsd waits a minute for what was loaded. */
const HINT_MS = 180_000;
const SENTENCE = /Secure Boot is on, and the boot loader that HPS installs is not signed/;

async function secureMachine(rack: InstallRack): Promise<Vm> {
  return await rack.addMachine({
    name: "secure01",
    firmware: "uefi",
    secureBoot: true,
    disks: [{ bus: "virtio", bytes: 24 * GIB }],
    nics: [{ mac: "52:54:00:00:0c:01" }],
  });
}

/** The disk's file was sparse and empty when it was made. */
async function expectUnwritten(vm: Vm): Promise<void> {
  expect((await must(["stat", "--format=%b", vm.diskFile(0)])).trim()).toBe("0");
}

scenario("secure-boot", async () => {
  await using rack = await startInstallRack();
  await using vm = await secureMachine(rack);
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await vm.console.waitFor(
    /NBP file downloaded successfully[\s\S]*failed to load .*: Access Denied/,
    await limit(FIRMWARE_SECONDS),
  );
  expect(vm.console.text()).not.toMatch(/iPXE|HPS:/);
  const log = async () => (await rack.hpsctl("installation", "log", "secure01")).stdout;
  await expect
    .poll(log, { timeout: HINT_MS, interval: 2_000 })
    .toMatch(/boot: the firmware of \S+ loaded ipxe\.efi.* Secure Boot/);
  expect((await installation.get()).state).toBe(InstallationState.ARMED);
  await vm.cutPower();
  await expectUnwritten(vm);
});

scenario("secure-boot-signed", async () => {
  const signed = join(await labFolder(), "signed");
  await using rack = await startInstallRack({ installer: async (told) => signedSet(await installerSet(told), signed) });
  await using vm = await secureMachine(rack);
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  expect(await installation.becomes(InstallationState.FAILED)).toMatch(SENTENCE);
  await vm.console.waitFor(new RegExp(`HPS: .*${SENTENCE.source}`), await limit(FIRMWARE_SECONDS));
  expect((await rack.hpsctl("host", "get", "secure01")).stdout).toContain("Secure Boot on");
  await vm.cutPower();
  await expectUnwritten(vm);
});
