import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { ClaimAsk } from "./claim-gate.ts";
import {
  ADDRESS,
  expectRefused,
  type GateRig,
  MAC,
  MINUTE,
  OTHER_ADDRESS,
  OTHER_MAC,
  openGateRig,
  ROOT,
  refusalCount,
} from "./testing.ts";

async function scripted(rig: GateRig): Promise<string> {
  const decision = await rig.boot();
  return decision.kind === "install" ? decision.claimId : expect.unreachable(decision.kind);
}

const fetchOf = (rig: GateRig, claimId: string, change: Partial<ClaimAsk> = {}) =>
  rig.core.gate.claims.fetch({ claimId, address: ADDRESS, neighbour: { mac: MAC }, ...change });

test("a claim goes once to the machine the script went to, and to nobody else", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  const claimId = await scripted(rig);
  await expectRefused(rig, fetchOf(rig, randomUUID()), "the claim is unknown");
  const other = { address: OTHER_ADDRESS, neighbour: { mac: OTHER_MAC } };
  await expectRefused(rig, fetchOf(rig, claimId, other), "given to another address");
  await expectRefused(rig, fetchOf(rig, claimId, { neighbour: { mac: OTHER_MAC } }), "link address is another");
  const claim = await fetchOf(rig, claimId);
  expect(claim).toMatchObject({ installation: id, host: rig.hostId, trustDomain: "lab.example.org" });
  await expectRefused(rig, fetchOf(rig, claimId), "the claim was fetched before");
  expect(await refusalCount(rig)).toBe(4);
});

test("two fetches at once: one gets it, the other one refusal", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  const claimId = await scripted(rig);
  const both = await Promise.allSettled([fetchOf(rig, claimId), fetchOf(rig, claimId)]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(await refusalCount(rig)).toBe(1);
});

test("a claim is good in its time, for an open installation, until a newer one is given", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  const first = await scripted(rig);
  rig.time.now += 10 * MINUTE;
  await expectRefused(rig, fetchOf(rig, first), "the claim has expired");
  const second = await scripted(rig);
  const third = await scripted(rig);
  await expectRefused(rig, fetchOf(rig, second), "the claim is void: newer claim");
  await rig.core.installations.disarm(ROOT, rig.hostId);
  await expectRefused(rig, fetchOf(rig, third), "the claim is void: the installation has ended");
});

test("a claim whose window is over is not handed out", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  rig.time.now += 55 * MINUTE;
  const claimId = await scripted(rig);
  rig.time.now += 5 * MINUTE;
  rig.lease(MAC, ADDRESS);
  await expectRefused(rig, fetchOf(rig, claimId), "is not open to machines");
});

test("an operator's claim for a boot medium enrols, voids older ones, and is not given while an agent lives", async () => {
  await using rig = await openGateRig();
  const { claims } = rig.core.gate;
  const unknown = claims.issue(ROOT, randomUUID());
  await expect(unknown).rejects.toMatchObject({ code: "precondition" });
  const id = await rig.arm();
  const older = await scripted(rig);
  const { claim, expiresAt } = await claims.issue(ROOT, id);
  expect(expiresAt).toBe(rig.time.now + 10 * MINUTE);
  await expectRefused(rig, fetchOf(rig, older), "the claim is void");
  expect(await rig.enrol(claim)).toMatchObject({ kind: "issued" });
  const agent = rig.attach();
  await expect(claims.issue(ROOT, id)).rejects.toMatchObject({
    code: "precondition",
    message: "the agent of web01 is attached",
  });
  agent.detach();
  expect((await claims.issue(ROOT, id)).claim.installation).toBe(id);
  await rig.core.installations.cancel(ROOT, id, "");
  await expect(claims.issue(ROOT, id)).rejects.toMatchObject({ code: "precondition" });
});
