/** Who may enter, for how long, and what is written down of it: by the real server over TLS, with the agent's own shell. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { processesOf } from "../../installer-agent/shell/process-session.ts";
import { RecordingPart, SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Caller } from "../../server/core/identity/principal.ts";
import type { ShellPolicy } from "../../server/core/shells/shell-policy.ts";
import { OperatorSession } from "./operator-session.ts";
import { auditOf, type ShellRig, startShellRig } from "./shell-rig.ts";

const VIEWER = { "*": "viewer" } as const;
const OPERATOR = { "*": "operator" } as const;

function terminal(operator: ShellRig["operator"], reason = ""): OperatorSession {
  return OperatorSession.open(operator, { host: "lab/h1", term: "xterm", window: { rows: 24, columns: 80 }, reason });
}

async function shellPid(session: OperatorSession): Promise<number> {
  await session.type("echo pid=$$.\n");
  return Number((await session.shows(/pid=(\d+)\./))[1]);
}

/** How long it took, and that nothing of the shell is left. */
async function endsWithin(rig: ShellRig, pid: number, act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  await expect.poll(() => rig.agent.count, { interval: 5 }).toBe(0);
  const took = performance.now() - began;
  await expect.poll(async () => await processesOf(pid)).toEqual([]);
  return took;
}

test("a viewer enters by a grant, and is out within a second when that is taken back, detached as it is", async () => {
  await using rig = await startShellRig();
  const bob = await rig.operatorNamed("bob", VIEWER);
  await expect(terminal(bob).session).rejects.toMatchObject({ code: "denied", message: /needs role operator/ });
  const grant = await rig.grant({ operator: "bob" }, "enter");
  const session = terminal(bob);
  const { id } = await session.session;
  const pid = await shellPid(session);
  await session.send({ case: "detach", value: {} });
  expect(await session.last()).toMatchObject({ case: "detached" });
  expect(await endsWithin(rig, pid, async () => await rig.revokeGrant(grant))).toBeLessThan(1000);
  const why = "this needs role operator in cluster lab, or a grant";
  await expect
    .poll(async () => (await bob.getSession({ session: id })).endReason)
    .toBe(`bob may no longer enter shells of host lab/h1: ${why}`);
});

test("a grant to watch shows the session and its recording, and no more; it ends by the clock", async () => {
  await using rig = await startShellRig();
  const bob = await rig.operatorNamed("bob", VIEWER);
  const owner = terminal(rig.operator);
  const { id: session } = await owner.session;
  await expect(OperatorSession.attach(bob, { session }).session).rejects.toMatchObject({ code: "denied" });
  await rig.grant({ operator: "bob" }, "watch", 3000);
  await expect(OperatorSession.attach(bob, { session, write: true }).session).rejects.toMatchObject({ code: "denied" });
  const watcher = OperatorSession.attach(bob, { session });
  await watcher.session;
  const ended = watcher.last().catch((error: unknown) => error);
  await owner.send({ case: "admit", value: { participant: watcher.participant, write: true } });
  while (owner.notices.length < 2) await owner.next();
  expect(owner.notices[1]).toMatch(/^bob may watch and not write/);
  const recording = bob.readRecording({ session, part: RecordingPart.RAW })[Symbol.asyncIterator]();
  await owner.type("echo shown\n");
  await owner.shows(/shown\r\n/);
  expect((await recording.next()).done).toBe(false);
  expect(await ended).toMatchObject({ code: "denied", message: /^bob may no longer watch shells of host lab\/h1/ });
  expect(await rig.operator.getSession({ session })).toMatchObject({ state: SessionState.OPEN });
  await owner.type("exit 0\n");
  expect(await owner.exit()).toMatchObject({ code: 0 });
});

test("a role that shrinks ends the session of a client that is gone; one that is still enough does not", async () => {
  await using rig = await startShellRig();
  const session = terminal(rig.operator);
  const { id } = await session.session;
  const pid = await shellPid(session);
  session.cancel();
  await expect.poll(async () => (await rig.shells.live(id))?.state).toBe("detached");
  await rig.setRoles("alice", { "*": "operator", lab: "viewer" });
  await delay(100);
  expect(rig.shells.live(id)?.state).toBe("detached");
  expect(await endsWithin(rig, pid, async () => await rig.setRoles("alice", VIEWER))).toBeLessThan(1000);
  await expect
    .poll(async () => (await rig.shells.get(id)).endReason)
    .toMatch(/^alice may no longer enter shells of host lab\/h1/);
});

test("a revoked certificate ends a detached session within a second, and its watchers are told why", async () => {
  await using rig = await startShellRig();
  const session = terminal(rig.operator);
  const { id } = await session.session;
  const pid = await shellPid(session);
  await session.send({ case: "detach", value: {} });
  await session.last();
  const watcher = OperatorSession.attach(await rig.operatorNamed("bob", OPERATOR), { session: id });
  await watcher.session;
  const told = watcher.exit();
  const { store, certificates } = rig.identity;
  const revoke = async () =>
    await store.write((tx) => certificates.revoke(tx, { serial: rig.operatorSerial }, "laptop stolen"));
  expect(await endsWithin(rig, pid, revoke)).toBeLessThan(1000);
  const reason = "alice was thrown out: its certificate is revoked: laptop stolen";
  expect(await told).toMatchObject({ reason });
  await expect.poll(async () => (await rig.shells.get(id)).endReason).toBe(reason);
});

test("a certificate that expires in the middle ends the call, and the session waits for a renewed one", async () => {
  await using rig = await startShellRig();
  const brief = terminal(rig.operator);
  const { id } = await brief.session;
  await brief.type("here=still; echo set-$((1 + 1))\n");
  await brief.shows(/set-2/);
  const ended = brief.last();
  // As the server does at the end of a certificate's time, of which the shortest has five minutes.
  const isAlice = ({ principal }: Caller) => principal.kind === "operator";
  rig.server.endCalls(
    ({ principal }) => isAlice(principal),
    new HpsError("unauthenticated", "the certificate has expired"),
  );
  await expect(ended).rejects.toMatchObject({ code: "unauthenticated", message: /expired/ });
  await expect.poll(() => rig.shells.live(id)?.state).toBe("detached");
  const renewed = OperatorSession.attach(await rig.operatorAgain("alice"), { session: id, write: true });
  await renewed.session;
  await renewed.type("echo $here-here; exit 4\n");
  await renewed.shows(/still-here/);
  expect(await renewed.exit()).toMatchObject({ code: 4 });
});

test("a host whose certificate is revoked ends its sessions within a second, with the reason", async () => {
  await using rig = await startShellRig();
  const session = terminal(rig.operator);
  const { id } = await session.session;
  await shellPid(session);
  const { store, certificates } = rig.identity;
  const began = performance.now();
  const exit = session.exit();
  await store.write((tx) => certificates.revoke(tx, { hostId: rig.hostId }, "host stolen"));
  expect(await exit).toMatchObject({ reason: "the host was thrown out: its certificate is revoked: host stolen" });
  expect(performance.now() - began).toBeLessThan(1000);
  expect((await rig.shells.get(id)).endedAt).not.toBeNull();
});

test("where access is by grant an operator needs one, and who has none is out when the cluster says so", async () => {
  await using rig = await startShellRig();
  const session = terminal(rig.operator);
  await session.session;
  const pid = await shellPid(session);
  const ended = session.exit();
  expect(await endsWithin(rig, pid, async () => await rig.policy({ access: "grant" }))).toBeLessThan(1000);
  const why = "cluster lab lets nobody in without a grant, and there is none for this";
  expect(await ended).toMatchObject({ reason: `alice may no longer enter shells of host lab/h1: ${why}` });
  await expect(terminal(rig.operator).session).rejects.toMatchObject({
    code: "denied",
    message: expect.stringContaining(why),
  });
  await rig.grant({ role: "operator" }, "enter");
  const again = terminal(rig.operator);
  await again.session;
  await again.type("exit 3\n");
  expect(await again.exit()).toMatchObject({ code: 3 });
});

test("a reason is required where the cluster says so", async () => {
  await using rig = await startShellRig();
  await rig.policy({ reasonRequired: true });
  await expect(terminal(rig.operator).session).rejects.toMatchObject({
    code: "precondition",
    hint: "say why: --reason TEXT; it goes to the audit log",
  });
  expect(await terminal(rig.operator, "disk errors").session).toMatchObject({ reason: "disk errors" });
});

test("limits: a notice, then the end; typing puts the idle end off, a detached session has it too", async () => {
  await using rig = await startShellRig();
  await rig.policy({ timeLimit: 3000, idleLimit: 1000 });
  const idle = terminal(rig.operator);
  expect((await idle.session).limits).toMatchObject({ idleLimit: { seconds: 1n } });
  const busy = terminal(rig.operator);
  await busy.session;
  const typing = setInterval(() => void busy.type("true\n"), 200);
  expect(await idle.exit()).toMatchObject({ reason: "nobody typed for 1s, the session's idle limit" });
  expect(idle.notices).toEqual(["nobody types: the session ends in 1s unless somebody does"]);
  expect(await busy.exit()).toMatchObject({ reason: "the session's time limit of 3s is over" });
  clearInterval(typing);
  expect(busy.notices).toEqual(["the session's time limit of 3s ends it in 2s"]);
  const left = terminal(rig.operator);
  const { id } = await left.session;
  await left.send({ case: "detach", value: {} });
  await left.last();
  await expect
    .poll(async () => (await rig.shells.get(id)).endReason)
    .toBe("nobody typed for 1s, the session's idle limit");
  await expect.poll(() => rig.agent.count).toBe(0);
});

test("a second person's approval: waits, is approved, begins in the same call; its own operator may not", async () => {
  await using rig = await startShellRig();
  await rig.policy({ approvalRequired: true });
  const carol = await rig.operatorNamed("carol", OPERATOR);
  const session = OperatorSession.open(rig.operator, {
    host: "lab/h1",
    command: ["sh", "-c", "cat; exit 7"],
    reason: "why",
  });
  const { id, state } = await session.session;
  expect([state, rig.agent.count]).toEqual([SessionState.WAITING, 0]);
  await session.send({ case: "input", value: Buffer.from("piped before") });
  await session.send({ case: "endOfInput", value: {} });
  expect(await carol.getSession({ session: id })).toMatchObject({ state: SessionState.WAITING, operator: "alice" });
  await expect(rig.operator.approveSession({ session: id })).rejects.toMatchObject({ code: "denied" });
  await carol.approveSession({ session: id, reason: "seen" });
  expect(await session.exit()).toMatchObject({ code: 7 });
  expect(Buffer.concat(session.output).toString()).toBe("piped before");
  expect(session.notices[0]).toContain(`hpsctl session approve ${id}`);
  expect(session.notices[1]).toBe("carol approved it");
  expect(await carol.getSession({ session: id })).toMatchObject({ approver: "carol", exitCode: 7 });
  await expect(carol.approveSession({ session: id })).rejects.toMatchObject({ code: "precondition" });
});

test("a session that is denied, or that its operator no longer waits for, begins nothing", async () => {
  await using rig = await startShellRig();
  await rig.policy({ approvalRequired: true });
  const carol = await rig.operatorNamed("carol", OPERATOR);
  const denied = terminal(rig.operator);
  await carol.approveSession({ session: (await denied.session).id, deny: true, reason: "not tonight" });
  expect(await denied.exit()).toMatchObject({ code: 255, reason: "carol denied it: not tonight" });
  const left = terminal(rig.operator);
  const { id } = await left.session;
  left.cancel();
  await expect
    .poll(async () => (await rig.shells.get(id)).endReason)
    .toBe("the operator went away while it waited for approval");
  const revoked = terminal(rig.operator);
  const waiting = (await revoked.session).id;
  const ended = revoked.last().catch((error: unknown) => error);
  await rig.setRoles("alice", VIEWER);
  expect(await ended).toMatchObject({ code: "aborted" });
  await expect(carol.approveSession({ session: waiting })).rejects.toMatchObject({ code: "precondition" });
  expect(rig.agent.count).toBe(0);
});

test("the audit log has who, host, why, from where, when, command, exit, bytes, recording and approver", async () => {
  await using rig = await startShellRig();
  const policy: Partial<ShellPolicy> = { approvalRequired: true, reasonRequired: true };
  await rig.policy(policy);
  const carol = await rig.operatorNamed("carol", OPERATOR);
  const command = ["sh", "-c", "cat; exit 7"];
  const session = OperatorSession.open(rig.operator, { host: "lab/h1", command, reason: "disk errors" });
  const { id } = await session.session;
  await carol.approveSession({ session: id, reason: "seen" });
  await session.send({ case: "input", value: Buffer.from("hello") });
  await session.send({ case: "endOfInput", value: {} });
  await session.exit();
  const events = (await auditOf(rig)).filter(({ target }) => target === `host:${rig.hostId}`);
  const [asked, approved, begun, ended] = events;
  const alice = { actor: expect.stringContaining("/operator/alice"), address: expect.stringMatching(/127\.0\.0\.1/) };
  const what = { session: id, command: JSON.stringify(command) };
  expect(asked).toMatchObject({ ...alice, reason: "disk errors", details: { ...what, approval: "asked for" } });
  expect(approved).toMatchObject({
    ...{
      actor: expect.stringContaining("/operator/carol"),
      action: "hps.v1.ShellService/ApproveSession",
      reason: "seen",
    },
    details: { session: id, decision: "approved", operator: "alice" },
  });
  expect(begun).toMatchObject({
    ...alice,
    reason: "disk errors",
    details: { ...what, approver: "carol", recorded: "yes" },
  });
  const row = await rig.operator.getSession({ session: id });
  expect(ended).toMatchObject({
    ...{ ...alice, action: "session.end" },
    details: {
      ...{ session: id, exit: "7", signal: "0", inputBytes: "5", outputBytes: "5", recorded: "yes" },
      ...{ recordingBytes: String(row.recordingBytes), recordingDigest: row.recordingDigest },
    },
  });
  expect(row.recordingDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => at).toSorted((a, b) => a - b));
});
