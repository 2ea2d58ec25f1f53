import { setTimeout as delay } from "node:timers/promises";
import headless from "@xterm/headless";
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

/** Reads on, and keeps no more than the end of a flood. */
async function readsTo(session: OperatorSession, pattern: RegExp): Promise<void> {
  while (!pattern.test(session.text)) {
    session.output.splice(0, session.output.length - 2);
    if ((await session.next()) === undefined) throw new Error(`ended without ${pattern}`);
  }
}

test("two watchers, one of which stops reading: neither the owner nor the other sees a stall", async () => {
  await using rig = await startShellRig();
  const owner = terminal(rig);
  const session = await idOf(owner);
  await owner.type("echo ready-$((1 + 1))\n");
  await owner.shows(/ready-2/);
  const bob = await rig.operatorNamed("bob", ROLES);
  const reads = OperatorSession.attach(bob, { session });
  expect((await reads.session).participants).toMatchObject([
    { operator: "alice", role: ParticipantRole.OWNER },
    { operator: "bob", role: ParticipantRole.WATCHER },
  ]);
  const stops = OperatorSession.attach(bob, { session });
  await stops.session;
  const read = [readsTo(owner, /mark-2/), readsTo(reads, /mark-2/)];
  await owner.type("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo mark-$((1 + 1))\n");
  await Promise.all(read);
  expect(rig.shells.bufferedBytes.get(session)).toBeLessThan(4 * 1024 * 1024);
  await owner.type("exit 3\n");
  expect(await owner.exit()).toMatchObject({ code: 3 });
  expect(await reads.exit()).toMatchObject({ code: 3 });
  // What was on its way to the one that stopped comes first, then that it missed something, then the end.
  expect(await stops.exit()).toMatchObject({ code: 3 });
  expect(stops.notices.at(-1)).toMatch(/^you fell behind: [1-9]\d{6,} bytes/);
});

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

/** What a terminal shows that was sent all of this. */
async function screenOf(bytes: Uint8Array, { rows, columns } = WINDOW) {
  const terminal = new headless.Terminal({ rows, cols: columns, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(bytes, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: rows }, (_, row) => active.getLine(active.baseY + row)?.translateToString(true));
  return { lines: lines.map((line) => line?.trimEnd()), cursor: [active.cursorX, active.cursorY], screen: active.type };
}

test("an editor that was left is on the screen again for who comes back and for who watches", async () => {
  await using rig = await startShellRig();
  const first = terminal(rig);
  const session = await idOf(first);
  await first.type("PS1='$ '; vi -u NONE -N +'set ruler'\n");
  await first.shows(/\[No Name\]|0,0-1/);
  await first.type("iwords in the editor\x1b");
  // Out of insert mode the cursor stands on the last letter.
  await first.shows(/words in the editor[\s\S]*1,20[\s\S]*1,19/);
  const before = await screenOf(Buffer.concat(first.output));
  expect(before.screen).toBe("alternate");
  await first.send({ case: "detach", value: {} });
  await first.last();
  const bob = await rig.operatorNamed("bob", ROLES);
  for (const [operator, write] of [
    [bob, false],
    [rig.operator, true],
  ] as const) {
    const again = OperatorSession.attach(operator, { session, write, window: WINDOW });
    await again.shows(/words in the editor/);
    expect(await screenOf(Buffer.concat(again.output))).toEqual(before);
    if (!write) {
      again.cancel();
      continue;
    }
    await again.type(":q!\r");
    while (!again.text.endsWith("$ ")) await again.next();
    await again.type("exit 6\n");
    expect(await again.exit()).toMatchObject({ code: 6 });
  }
});
