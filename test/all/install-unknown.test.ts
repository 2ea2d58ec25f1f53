import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { filesAsked } from "../lab/boot-asks.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const MAC = "52:54:00:00:0a:01";
/** From power-on to the menu, and from there to the agent's word, usually. */
const MENU_SECONDS = 30;
const AGENT_SECONDS = 60;
/** A stranger's lease is for two minutes, which dnsmasq counts in whole seconds. */
const LEASE_MS = 122_000;

/** Types a command as the operator; it must do. */
async function types({ hpsctl }: InstallRack, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await hpsctl(...words);
  expect(code, `hpsctl ${words.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

/** For how long the unknown machine has asked. */
async function asking(rack: InstallRack): Promise<number> {
  const [contact, ...more] = JSON.parse(await types(rack, "host", "contacts", "-o", "json"));
  expect({ mac: contact?.mac, more }).toEqual({ mac: MAC, more: [] });
  return Date.parse(contact.lastSeenTime) - Date.parse(contact.firstSeenTime);
}

scenario("unknown-approved", async () => {
  await using rack = await startInstallRack({ admission: "approve" });
  const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
  await using vm = await rack.addMachine({
    ...{ name: "web01", known: false, firmware: "bios", disks },
    nics: [{ mac: MAC }],
  });
  await vm.powerOn();
  await vm.console.waitFor(/^HPS does not know this machine\./m, await limit(MENU_SECONDS));
  await vm.console.waitFor(new RegExp(`^MAC ${MAC} IP 10\\.77\\.0\\.1[01]\\d\\s`, "m"), await limit(1));
  await expect
    .poll(() => asking(rack), { timeout: await limit(LEASE_MS / 1000), interval: 5_000 })
    .toBeGreaterThan(LEASE_MS);
  expect(vm.console.text()).not.toContain("HPS refused");
  expect(filesAsked(rack)).toEqual([]);

  const menu = vm.console.mark();
  await types(rack, "host", "approve", MAC, "--name", "web01", "--cluster", "lab", "--image", rack.image, "--arm");
  // A serial line under emulation says a character twice now and then: such a line is none, and is said again in a minute.
  const asked = /waiting for approval; the fingerprint of this machine is ([0-9a-f]{5}(?:-[0-9a-f]{5}){3})\s/;
  const [, fingerprint = ""] = await vm.console.waitFor(asked, await limit(AGENT_SECONDS), menu);
  const installation = await FollowedInstallation.newest(rack, vm);
  expect(await installation.get()).toMatchObject({
    ...{ state: InstallationState.AWAITING_APPROVAL, image: rack.image },
    pendingEnrolment: { fingerprint },
  });
  await types(rack, "host", "approve", "web01", "--fingerprint", fingerprint);
  await installation.succeeds();
  await expectInstalled(rack, "web01");
  expect(vm.console.text()).not.toContain("HPS refused");
});
