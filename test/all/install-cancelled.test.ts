import { expect } from "vitest";
import { InstallationState, Outcome } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled, expectNothingBootable, plainMachine } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const HOST = { name: "web01", mac: "52:54:00:00:0c:01" };
/** From power-on to the end of the last step, usually; and from one word of an agent to the next. */
const INSTALL_SECONDS = 180;
const WORD_SECONDS = 20;
const HELD = /held: hpsctl installation resume-reboot/;

/** Types a command about the installation as the operator; it must do. */
async function types({ hpsctl }: InstallRack, verb: string, ...words: readonly string[]): Promise<void> {
  const { code, stderr } = await hpsctl("installation", verb, HOST.name, ...words);
  expect(code, stderr).toBe(0);
}

async function cancelInTheMiddle(rack: InstallRack, vm: Vm): Promise<void> {
  const installation = await FollowedInstallation.arm(rack, vm);
  const from = await vm.powerOn();
  await installation.progresses("image", 0.3);
  await types(rack, "cancel", "--yes", "--reason", "wrong rack");
  await installation.becomes(InstallationState.ENDED);
  expect(await installation.get()).toMatchObject({ outcome: Outcome.CANCELLED, reason: "wrong rack" });
  await vm.console.waitFor(/^HPS: image: the installation is over: wrong rack\s/m, await limit(WORD_SECONDS), from);
  await vm.console.waitFor(/^HPS: Nothing more happens until this machine is/m, await limit(WORD_SECONDS), from);
  expect(vm.console.text().slice(from)).not.toContain("installation retry");
}

/** The agent of a machine whose restart is held dies; the next one holds it too, and does nothing else. */
async function killWhileHeld(rack: InstallRack, vm: Vm): Promise<void> {
  await vm.console.waitFor(HELD, await limit(INSTALL_SECONDS), vm.console.mark());
  const killed = vm.console.mark();
  await rack.hpsctl("installer-shell", HOST.name, "--", "sh", "-c", "kill -9 $(pidof node)");
  await vm.console.waitFor(/^HPS: the agent crashed \(code 137\)/m, await limit(WORD_SECONDS), killed);
  await vm.console.waitFor(HELD, await limit(WORD_SECONDS), killed);
  expect(vm.console.text().slice(killed)).not.toContain("step started");
}

scenario("cancelled", async () => {
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  await cancelInTheMiddle(rack, vm);
  await expectNothingBootable(vm);

  // What the cancelled one wrote is data of another installation.
  const next = await FollowedInstallation.arm(rack, vm, { wipe: true });
  await types(rack, "pause-reboot");
  await vm.powerOn();
  await killWhileHeld(rack, vm);
  expect(await next.get()).toMatchObject({ state: InstallationState.REBOOTING, attached: true });
  await types(rack, "resume-reboot");
  await next.succeeds();
  await expectInstalled(rack, HOST.name);
});
