import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { approvalFingerprint } from "../../../certs/fingerprint.ts";
import { makeKey } from "../../../certs/key.ts";
import { newClaimToken } from "../../../proto/values/claim-token.ts";
import { parseFacts } from "../../../proto/values/facts.ts";
import {
  ADDRESS,
  expectRefused,
  FACTS,
  type GateRig,
  MAC,
  MINUTE,
  OTHER_MAC,
  openGateRig,
  ROOT,
  refusalCount,
} from "./testing.ts";

/** State of each certificate issued for the installation, oldest first. */
const certificates = (rig: GateRig, installationId: string) =>
  rig.store.read(async (db) =>
    (
      await db
        .selectFrom("certificate")
        .select("state")
        .where("subject", "=", installationId)
        .orderBy("issued_at")
        .execute()
    ).map(({ state }) => state),
  );

const serialOf = (enrolment: Awaited<ReturnType<GateRig["enrol"]>>) =>
  enrolment.kind === "issued" ? new X509Certificate(enrolment.chainPem).serialNumber : expect.unreachable();

test("a claim becomes a certificate of its installation; a lost reply is said again to the same key", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  const claim = await rig.claim();
  const keys = makeKey();
  const first = await rig.enrol(claim, { keys });
  expect(await rig.state()).toBe("installing");
  rig.time.now += 30 * MINUTE; // the claim's own time does not count for what it has done already
  expect(serialOf(await rig.enrol(claim, { keys }))).toBe(serialOf(first));
  expect(await certificates(rig, id)).toEqual(["valid"]);
  expect(await refusalCount(rig)).toBe(0);
});

test("enrolments of one claim at once: the same key gets one certificate, two keys freeze", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  const claim = await rig.claim();
  const keys = makeKey();
  const [one, other] = await Promise.all([rig.enrol(claim, { keys }), rig.enrol(claim, { keys })]);
  expect(serialOf(one)).toBe(serialOf(other));
  expect(await certificates(rig, id)).toEqual(["valid"]);
  await rig.core.installations.cancel(ROOT, id, "");

  const next = await rig.arm();
  const fought = await rig.claim();
  const fight = await Promise.allSettled([rig.enrol(fought), rig.enrol(fought)]);
  expect(fight.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(await rig.state()).toBe("frozen");
  expect(await certificates(rig, next)).toEqual(["revoked"]);
  expect(await refusalCount(rig)).toBe(1);
});

test("refused: an unknown token, an expired claim, a window that is over, another host's machine, an ended installation", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  await expectRefused(rig, rig.enrol({ token: newClaimToken() }), "the claim is unknown");
  const claim = await rig.claim();
  const foreign = parseFacts({ macs: [OTHER_MAC] });
  await expectRefused(rig, rig.enrol(claim, { facts: foreign }), "the claim is another host's");
  rig.time.now += 10 * MINUTE;
  await expectRefused(rig, rig.enrol(claim), "the claim has expired");
  rig.time.now += 45 * MINUTE;
  const late = await rig.claim();
  rig.time.now += 5 * MINUTE;
  await expectRefused(rig, rig.enrol(late), "the window of this host is over");
  await rig.core.installations.expireOverdue();
  await expectRefused(rig, rig.enrol(late), "the installation of this claim has ended");
  expect(await certificates(rig, id)).toEqual([]);
});

test("armed: the earlier of two claims freezes the installation and kills the later one's certificate", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  const early = await rig.claim();
  const late = await rig.claim();
  await rig.enrol(late);
  await expectRefused(rig, rig.enrol(early), "used after a newer one was given out");
  expect(await rig.state()).toBe("frozen");
  expect(await certificates(rig, id)).toEqual(["revoked"]);
  await expectRefused(rig, rig.enrol(late), "the installation is frozen");
  expect(await refusalCount(rig)).toBe(2);
});

test("a machine that restarts: the same facts interrupt, other facts or a living agent freeze", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  await rig.enrol(await rig.claim());
  expect(await rig.enrol(await rig.claim())).toMatchObject({ kind: "issued" });
  expect(await rig.state()).toBe("interrupted");
  expect(await certificates(rig, id)).toEqual(["revoked", "valid"]);

  const claim = await rig.claim();
  const agent = rig.attach();
  await expectRefused(rig, rig.enrol(claim), "while the agent of an earlier one lives");
  expect(await rig.state()).toBe("frozen");
  agent.detach();
  await rig.core.installations.unfreeze(ROOT, id);
  const moved = parseFacts({ ...FACTS, serial: "S2" });
  expect(await rig.enrol(await rig.claim(), { facts: moved })).toMatchObject({ kind: "issued" }); // asked anew after a freeze
  await expectRefused(rig, rig.enrol(await rig.claim()), "another machine came for the same installation");
  expect(await certificates(rig, id)).toEqual(["revoked", "revoked", "revoked"]);
});

test("approve: nobody gets in before an operator has compared the fingerprint", async () => {
  await using rig = await openGateRig("approve");
  const id = await rig.arm();
  const { approveEnrolment } = await import("./approval.ts");
  const approve = (fingerprint: string) => approveEnrolment(rig.core.gate.parts, ROOT, id, fingerprint);
  await expect(approve("00000-00000-00000-00000")).rejects.toMatchObject({
    code: "precondition",
    message: "no agent waits for approval of this installation",
  });
  const claim = await rig.claim();
  const keys = makeKey();
  const fingerprint = approvalFingerprint(keys.publicKey);
  expect(await rig.enrol(claim, { keys })).toMatchObject({ kind: "pending" });
  expect(await rig.enrol(claim, { keys })).toMatchObject({ kind: "pending" });
  expect(await rig.state()).toBe("awaiting-approval");
  const view = await rig.core.installations.get(id);
  expect(view.pending).toMatchObject({ fingerprint, address: ADDRESS, facts: { macs: [MAC] } });
  await expect(approve("00000-00000-00000-00000")).rejects.toMatchObject({
    code: "precondition",
    message: "the waiting agent has another fingerprint",
  });
  rig.time.now += 20 * MINUTE; // the operator took long: the claim's time is over, the agent's wait is not
  await approve(` ${fingerprint.toUpperCase().replaceAll("-", " ")} `);
  expect((await rig.core.installations.get(id)).pending).toBeUndefined();
  expect(await rig.enrol(claim, { keys })).toMatchObject({ kind: "issued" });
  expect(await rig.state()).toBe("installing");
  await expect(approve(fingerprint)).rejects.toMatchObject({ code: "precondition" });
});

test("approve: a second machine that comes while the first waits lets neither in", async () => {
  await using rig = await openGateRig("approve");
  const id = await rig.arm();
  const [first, second] = [makeKey(), makeKey()];
  const early = await rig.claim();
  await rig.enrol(early, { keys: first });
  const late = await rig.claim();
  expect(await rig.enrol(late, { keys: second })).toMatchObject({ kind: "pending" });
  await expectRefused(rig, rig.enrol(early, { keys: first }), "used after a newer one was given out");
  await expectRefused(rig, rig.enrol(late, { keys: second }), "the installation is frozen");
  expect(await certificates(rig, id)).toEqual([]);
});
