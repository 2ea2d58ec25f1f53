import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { armedHost, untilState } from "../lab/gate-steps.ts";
import { startHpsdRack } from "../lab/hpsd-rack.ts";

const WEB = "52:54:00:00:01:01";
const STRANGER = "52:54:00:00:0f:01";

test("hpsd dies and comes back: agents attach again, leases and windows are as they were", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, STRANGER], sets: ["boot.window=30s"] });
  const id = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  const held = await lab.machine(0).boot();
  const agent = await lab.machine(0).startAgent({ held, facts: { macs: [WEB], serial: "S1" } });
  await agent.waitFor(/all steps of this agent are done/);
  const stranger = lab.machine(1);
  await stranger.dhcp();
  const seenAt = Date.now();
  await lab.restart("SIGKILL");
  await agent.waitFor(/not attached.*attached/s);
  await untilState(lab, id, InstallationState.INSTALLING);
  // Neither machine speaks DHCP again; what dnsmasq repeats of its leases is no new exchange.
  await expect.poll(async () => (await lab.machine(0).ask()).body, { timeout: 20_000 }).toContain("is being installed");
  const asked = await stranger.ask();
  if (Date.now() < seenAt + 30_000) expect(asked.body).toContain("HPS does not know this machine");
  await sleep(Math.max(0, seenAt + 30_500 - Date.now()));
  expect((await stranger.ask()).body).toContain("its time for a first contact is over");
  expect(await stranger.dhcp()).toMatch(/^10\.77\.0\.1[01]\d$/);
  await expect.poll(async () => (await stranger.ask()).body, { timeout: 20_000 }).toContain("HPS does not know");
});
