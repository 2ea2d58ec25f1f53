import { expect, test } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { armedHost, issuedFor, untilState } from "../lab/gate-steps.ts";
import { startHpsdRack } from "../lab/hpsd-rack.ts";

const WEB = "52:54:00:00:01:01";
const HOST = { name: "web01", mac: WEB, address: "10.77.0.11" };
const FACTS = { macs: [WEB], serial: "S1" };

test("armed: a machine that boots as a host whose agent lives and speaks freezes the installation", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, WEB] });
  const [one, clone] = [lab.machine(0), lab.machine(1)];
  const id = await armedHost(lab, HOST);
  const held = await one.boot();
  const agent = await one.startAgent({ held, facts: FACTS });
  // What hpsd said to it now would reach the clone, which has its address and resets the connection.
  await agent.waitFor(/staying attached/);
  await clone.dhcp();
  expect((await clone.ask()).body).toContain("web01 is being installed already");
  // The agent speaks every 30 s, its heartbeat.
  await expect
    .poll(async () => (await clone.ask()).body, { timeout: 120_000, interval: 3_000 })
    .toContain("HPS refused this machine: two machines claim this host");
  await untilState(lab, id, InstallationState.FROZEN);
  expect(await agent.ended).not.toBe(0);
  expect(await issuedFor(lab, id, true)).toEqual([]);
  await lab.hps.installations.unfreezeInstallation({ installation: id });
  expect((await one.ask()).body).toContain("initrd --name claim.img");
});
