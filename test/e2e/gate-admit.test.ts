import { expect, test } from "vitest";
import { startHpsdRack } from "../lab/hpsd-rack.ts";

const WEB = "52:54:00:00:01:01";

test("the right machine is admitted and streams", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const { hps } = lab;
  await hps.hosts.createHost({ host: { cluster: "lab", name: "web01", macs: [WEB], addresses: ["10.77.0.11"] } });
  const { id } = await hps.hosts.armHost({ host: "lab/web01" });
  const machine = lab.machine(0);
  expect(await machine.dhcp()).toBe("10.77.0.11");
  const script = await machine.ask();
  expect(script.body).toMatch(/^#!ipxe\n/);
  const held = await machine.fetchClaim(script.body);
  expect(held.claim.installation).toBe(id);
  const agent = await machine.startAgent({ held, facts: { macs: [WEB], serial: "S1" } });
  await agent.waitFor(/attached/);
});
