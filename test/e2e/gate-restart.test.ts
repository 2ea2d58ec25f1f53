import { expect, test } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { armedHost, issuedFor, journalOf, untilState } from "../lab/gate-steps.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { refusalsDuring } from "../lab/refusals.ts";

const WEB = "52:54:00:00:01:01";
const FACTS = { macs: [WEB], serial: "S1", uuid: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff" };

/** A host whose agent has enrolled and does its steps. */
async function installing(lab: HpsdRack) {
  const id = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  const held = await lab.machine(0).boot();
  const agent = await lab.machine(0).startAgent({ held, facts: FACTS });
  await agent.waitFor(/all steps of this agent are done/);
  return { id, agent };
}

test("an agent killed in the middle and started again with the same facts is interrupted; retry continues", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const { id, agent } = await installing(lab);
  const [before] = await issuedFor(lab, id);
  await agent.stop("SIGKILL");
  const machine = lab.machine(0);
  await expect.poll(async () => (await machine.ask()).body, { timeout: 20_000 }).toContain("initrd --name claim.img");
  const second = await machine.startAgent({ held: await machine.boot(), facts: FACTS });
  await second.waitFor(/attached/);
  await untilState(lab, id, InstallationState.INTERRUPTED);
  expect(await issuedFor(lab, id, true)).toHaveLength(1);
  expect(await issuedFor(lab, id, true)).not.toContain(before);
  expect(second.output()).not.toContain("all steps of this agent are done");
  expect((await lab.hpsctl("installation", "retry", "web01")).code).toBe(0);
  await second.waitFor(/all steps of this agent are done/);
  await untilState(lab, id, InstallationState.INSTALLING);
  const changes = (await journalOf(lab, id)).flatMap(({ entry }) =>
    entry.case === "change" ? [entry.value.event] : [],
  );
  expect(changes).toEqual(["arm", "enrol", "re-enrol", "retry"]);
});

test("one that comes back with other facts freezes the installation", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const { id, agent } = await installing(lab);
  await agent.stop("SIGKILL");
  const machine = lab.machine(0);
  await expect.poll(async () => (await machine.ask()).body, { timeout: 20_000 }).toContain("initrd --name claim.img");
  const held = await machine.boot();
  const { events } = await refusalsDuring(lab, async () => {
    const other = await machine.startAgent({ held, facts: { ...FACTS, serial: "S2" } });
    expect(await other.ended).not.toBe(0);
    expect(other.output()).toContain("another machine came for the same installation");
  });
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ action: "enrol", target: `installation:${id}` });
  await untilState(lab, id, InstallationState.FROZEN);
  expect(await issuedFor(lab, id, true)).toEqual([]);
});
