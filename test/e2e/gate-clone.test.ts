import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { openChannel } from "../../proto/rpc/channel.ts";
import { client } from "../../proto/rpc/rpc-client.ts";
import { armedHost, issuedFor, untilState } from "../lab/gate-steps.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import type { HeldClaim } from "../lab/machine.ts";
import { refusalsDuring } from "../lab/refusals.ts";

const WEB = "52:54:00:00:01:01";
const HOST = { name: "web01", mac: WEB, address: "10.77.0.11" };
const FACTS = { macs: [WEB], serial: "S1" };

/** Calls with the certificate in an agent's state folder until one is refused: how, and when the last was made that was let in. */
async function untilRefused(lab: HpsdRack, held: HeldClaim, state: string) {
  const read = (name: string) => readFile(join(state, name), "utf8");
  const tls = { ca: held.claim.rootCertificate, key: await read("agent.key"), cert: await read("agent.crt") };
  const channel = openChannel({ address: lab.hps.server, version: "0.1.0", tls });
  let letInAt = 0;
  try {
    for (;;) {
      const asked = Date.now();
      await client(AgentService, channel).getConfiguration({ hostId: held.claim.host });
      letInAt = asked;
    }
  } catch (refused) {
    return { refused, letInAt };
  } finally {
    channel.close();
  }
}

test("armed: the later claimant freezes the installation, and the earlier certificate is dead within a second", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, WEB] });
  const [one, other] = [lab.machine(0), lab.machine(1)];
  const id = await armedHost(lab, HOST);
  const early = await one.boot();
  const held = await other.boot();
  const state = join(lab.folder, "other");
  const admitted = await other.startAgent({ held, facts: FACTS, state });
  await admitted.waitFor(/attached/);
  await untilState(lab, id, InstallationState.INSTALLING);

  const calling = untilRefused(lab, held, state);
  const { events } = await refusalsDuring(lab, async () => {
    const late = await one.startAgent({ held: early, facts: FACTS });
    expect(await late.ended).not.toBe(0);
    expect(late.output()).toContain("the claim was used after a newer one was given out");
    expect(await admitted.ended).not.toBe(0); // its stream has ended, and it may not come back
    await calling;
  });
  const [conflict, ...more] = events.filter(({ action }) => action === "enrol");
  expect(more).toEqual([]);
  expect(conflict).toMatchObject({ target: `installation:${id}`, actor: `mac:${WEB}` });
  await untilState(lab, id, InstallationState.FROZEN);
  const { refused, letInAt } = await calling;
  expect(refused).toMatchObject({ code: "unauthenticated" });
  expect(letInAt).toBeGreaterThan(0);
  expect(letInAt).toBeLessThan((conflict?.time === undefined ? 0 : timestampMs(conflict.time)) + 1_000);
  expect(await issuedFor(lab, id, true)).toEqual([]);
  expect((await one.ask()).body).toContain("web01 is frozen: two machines claimed it");
});

test("approve: of a machine and its clone neither gets a certificate", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, WEB], admission: "approve" });
  const [one, clone] = [lab.machine(0), lab.machine(1)];
  const id = await armedHost(lab, HOST);
  const first = await one.startAgent({ held: await one.boot(), facts: FACTS });
  await first.waitFor(/waiting for approval/);
  const second = await clone.startAgent({ held: await clone.boot(), facts: FACTS });
  await second.waitFor(/waiting for approval/);
  await untilState(lab, id, InstallationState.FROZEN);
  expect(await first.ended).not.toBe(0);
  expect(await second.ended).not.toBe(0);
  expect(await issuedFor(lab, id)).toEqual([]);
});
