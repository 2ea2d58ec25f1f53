import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { ParticipantRole, SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { OperatorSession } from "./operator-session.ts";
import { auditOf, type ShellRig, startShellRig } from "./shell-rig.ts";

const WINDOW = { rows: 33, columns: 101 };
const ROLES = { "*": "operator" } as const;

function terminal(rig: ShellRig): OperatorSession {
  return OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm", window: WINDOW });
}

async function idOf(session: OperatorSession): Promise<string> {
  return (await session.session).id;
}

test("only who may write types, and the owner says who that is", async () => {
  await using rig = await startShellRig();
  const owner = terminal(rig);
  const session = await idOf(owner);
  const bob = await rig.operatorNamed("bob", ROLES);
  const second = OperatorSession.attach(bob, { session, write: true, window: { rows: 10, columns: 20 } });
  await second.session;
  await second.type("echo sneaky\n");
  while (second.notices.length < 2) await second.next();
  expect(second.notices).toEqual([
    "you only watch until alice lets you write",
    "you only watch this session: what you type goes nowhere",
  ]);
  await owner.type("stty size\n");
  await owner.shows(/33 101/);
  await owner.send({ case: "admit", value: { participant: second.participant, write: true } });
  while (second.notices.at(-1) !== "you may write now") await second.next();
  await second.type("echo from-$((1 + 1))-bob\n");
  await owner.shows(/from-2-bob/);
  expect(owner.text).not.toContain("sneaky");
  const third = OperatorSession.attach(bob, { session });
  await third.session;
  await third.send({ case: "admit", value: { participant: third.participant, write: true } });
  await expect(third.exit()).rejects.toMatchObject({ code: "denied" });
  await owner.send({ case: "leave", value: {} });
  expect(await second.exit()).toMatchObject({ code: 255, reason: "alice left it" });
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
});

test("detached, killed or cut off: the shell goes on, and the same operator has it again", async () => {
  await using rig = await startShellRig();
  const first = terminal(rig);
  const session = await idOf(first);
  await first.type("here=still\n");
  await first.send({ case: "detach", value: {} });
  expect(await first.last()).toMatchObject({ case: "detached", value: { reason: "", comeBack: false } });
  expect(await rig.operator.getSession({ session })).toMatchObject({ state: SessionState.DETACHED, participants: [] });
  const again = OperatorSession.attach(rig.operator, { session, write: true, window: { rows: 40, columns: 80 } });
  expect(await again.session).toMatchObject({ id: session, state: SessionState.OPEN, recorded: true });
  await again.type("echo $here-here; stty size\n");
  await again.shows(/still-here\r\n40 80/);
  again.cancel();
  await expect.poll(async () => (await rig.operator.getSession({ session })).state).toBe(SessionState.DETACHED);
  const last = OperatorSession.attach(rig.operator, { session, write: true });
  await last.session;
  await last.type("exit 5\n");
  expect(await last.exit()).toMatchObject({ code: 5 });
  expect(await rig.operator.getSession({ session })).toMatchObject({ state: SessionState.ENDED, exitCode: 5 });
  const over = OperatorSession.attach(rig.operator, { session });
  await expect(over.session).rejects.toMatchObject({ code: "precondition" });
});

test("a session is killed by whoever may: all are told who did it and why, and nothing is left running", async () => {
  await using rig = await startShellRig();
  const owner = terminal(rig);
  const session = await idOf(owner);
  const bob = await rig.operatorNamed("bob", ROLES);
  const killed = await bob.killSession({ session, reason: "the host is sold" });
  expect(killed).toMatchObject({ state: SessionState.ENDED, endReason: "bob ended it: the host is sold" });
  expect(await owner.exit()).toMatchObject({ reason: "bob ended it: the host is sold" });
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
  const kill = (await auditOf(rig)).find(({ action }) => action === "hps.v1.ShellService/KillSession");
  expect(kill).toMatchObject({ actor: expect.stringContaining("/operator/bob"), reason: "the host is sold" });
  await expect(bob.killSession({ session })).rejects.toMatchObject({ code: "precondition" });
});

test("an operator whose certificate is revoked takes its own session with it, and leaves another's alone", async () => {
  await using rig = await startShellRig();
  const bob = await rig.operatorNamed("bob", ROLES);
  const bobs = OperatorSession.open(bob, { host: "lab/h1", term: "xterm" });
  const [own, session] = [terminal(rig), await idOf(bobs)];
  const watching = OperatorSession.attach(rig.operator, { session });
  await Promise.all([own.session, watching.session]);
  const ended = Promise.allSettled([own.exit(), watching.exit()]);
  const { store, certificates } = rig.identity;
  await store.write((tx) => certificates.revoke(tx, { serial: rig.operatorSerial }, "laptop stolen"));
  expect(await ended).toMatchObject([{ reason: { code: "unauthenticated" } }, { reason: { code: "unauthenticated" } }]);
  await expect
    .poll(async () => (await bob.getSession({ session: await idOf(own) })).endReason)
    .toBe("alice was thrown out: its certificate is revoked: laptop stolen");
  await delay(50);
  expect(await bob.getSession({ session })).toMatchObject({
    state: SessionState.OPEN,
    participants: [{ operator: "bob", role: ParticipantRole.OWNER }],
  });
});
