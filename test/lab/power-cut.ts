import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "./followed-installation.ts";
import type { InstallRack } from "./install-rack.ts";
import { must } from "./run.ts";
import { limit } from "./vm/calibrate.ts";
import type { Vm } from "./vm/vm.ts";

const GIB = 1024 ** 3;
/** How long firmware looks at a disk, usually. */
const DISK_SECONDS = 15;

interface HostOptions {
  readonly name: string;
  readonly mac: string;
  /** Further words of `hpsctl host add`. */
  readonly words?: readonly string[];
}

/** A machine as plain as can be, off. */
export async function plainMachine(rack: InstallRack, { name, mac, words = [] }: HostOptions): Promise<Vm> {
  const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
  return await rack.addMachine({ name, words, firmware: "bios", disks, nics: [{ mac }] });
}

/** The installation succeeded, and its system is attached. */
export async function expectInstalled(rack: InstallRack, name: string): Promise<void> {
  const look = async () => JSON.parse((await rack.hpsctl("host", "get", name, "-o", "json")).stdout);
  expect(await look()).toMatchObject({ state: "HOST_STATE_INSTALLED", attached: true });
}

/** Started from the disk alone, neither a boot loader's entry nor a kernel comes. */
export async function expectNothingBootable(vm: Vm): Promise<void> {
  await vm.cutPower();
  vm.change({ bootOrder: "disk-first" });
  const from = await vm.powerOn();
  await vm.setLink(0, false); // what the disk does not start, the network would
  await vm.console.waitFor(/Booting from Hard Disk/, await limit(DISK_SECONDS), from);
  await expect(vm.console.waitFor(/Linux version|login:|HPS: slot/, DISK_SECONDS * 1000, from)).rejects.toThrow(
    "did not print",
  );
  await vm.cutPower();
  vm.change({ bootOrder: "network-first" });
}

/** Cuts the power when the step has begun (`image`: in its middle); shows that nothing goes on without a word, and all with one. */
export async function cutPowerIn(step: string, rack: InstallRack, host: HostOptions): Promise<void> {
  await using vm = await plainMachine(rack, host);
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await (step === "image" ? installation.progresses(step, 0.3) : installation.starts(step));
  await vm.cutPower();
  const written = await writtenTo(vm);
  const second = await vm.powerOn();
  await installation.becomes(InstallationState.INTERRUPTED);
  await vm.cutPower();
  expect(await writtenTo(vm), "a machine that nobody told to go on wrote to its disk").toBe(written);
  expect(vm.console.text().slice(second)).not.toMatch(/step started step=storage/);
  await installation.retry();
  await vm.powerOn();
  await installation.succeeds();
  await expectInstalled(rack, host.name);
}

/** A digest of the first disk's beginning, where the partition table and the ESP are, and of what the whole of it occupies. */
async function writtenTo(vm: Vm): Promise<string> {
  const file = vm.diskFile(0);
  return await must(["sh", "-c", 'stat -c %b "$0"; head -c 1G "$0" | sha256sum', file], { timeoutMs: 300_000 });
}
