import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import {
  AdmitWriterSchema,
  DetachSessionSchema,
  LeaveSessionSchema,
  SessionNoticeKind,
} from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { OperatorOutput, Participant, ShellInput } from "./participant.ts";
import { commandStart, exit, openShellsRig, output, readAll } from "./testing.ts";

const DETACH: ShellInput = { case: "detach", value: create(DetachSessionSchema) };
const LEAVE: ShellInput = { case: "leave", value: create(LeaveSessionSchema) };
const MiB = 1024 * 1024;

const KINDS = new Map<number, string>(Object.entries(SessionNoticeKind).map(([name, kind]) => [kind, name]));

function typed(text: string): ShellInput {
  return { case: "input", value: Buffer.from(text) };
}

function window(rows: number, columns: number): ShellInput {
  return { case: "window", value: create(WindowSizeSchema, { rows, columns }) };
}

function admit({ id }: Participant, write: boolean): ShellInput {
  return { case: "admit", value: create(AdmitWriterSchema, { participant: id, write }) };
}

function notices(messages: readonly OperatorOutput[]): [string, string][] {
  return messages.flatMap((message) =>
    message.case === "notice" ? [[KINDS.get(message.value.kind) ?? "", message.value.text]] : [],
  );
}

/** Reads as it comes, and can be asked what came so far. */
function reader(participant: Participant) {
  const messages: OperatorOutput[] = [];
  const done = (async () => {
    for await (const message of participant.output) messages.push(message);
    participant.leave("");
  })();
  const text = () => Buffer.concat(messages.flatMap(({ value }) => (value instanceof Uint8Array ? [value] : [])));
  return { messages, done, text: () => text().toString(), bytes: () => text().length };
}

test("a watcher sees what comes, and what it types goes nowhere, which it is told once", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent, toAgent } = await rig.open();
  const [first, second] = [reader(owner), reader(await rig.attach(session, "bob"))];
  const [, bob] = session.participants;
  expect(bob).toMatchObject({ operator: "bob", role: "watcher", address: "192.0.2.1" });
  await agent.receive(output("shown to both"));
  const watcher = await rig.attach(session, "carol");
  const third = reader(watcher);
  await watcher.send(typed("rm -rf /"));
  await watcher.send({ case: "signal", value: 9 });
  await watcher.send(window(10, 10));
  await owner.send(typed("ls"));
  expect((await toAgent.next()).value).toMatchObject({ case: "input", value: Buffer.from("ls") });
  await agent.receive(exit(3));
  await Promise.all([first.done, second.done, third.done]);
  expect(first.text()).toBe("shown to both");
  // In one its output, in the other the screen as it was when it came.
  for (const joined of [second, third]) expect(joined.text().split("shown to both")).toHaveLength(2);
  for (const { messages } of [first, second, third]) {
    expect(messages.at(-1)).toEqual({ case: "exit", value: { code: 3, signal: 0, reason: "" } });
  }
  expect(notices(third.messages)).toEqual([["READ_ONLY", expect.stringContaining("goes nowhere")]]);
  expect(notices(first.messages)).toEqual([
    ["JOINED", "bob watches this session, from 192.0.2.1"],
    ["JOINED", "carol watches this session, from 192.0.2.1"],
  ]);
  const attached = (await rig.audit()).filter(({ details }) => details.role !== undefined);
  expect(attached.map(({ details }) => details)).toEqual([
    { session: session.row.id, role: "watcher" },
    { session: session.row.id, role: "watcher" },
  ]);
});

test("a terminal runs as fast as its fastest participant; one that does not read is skipped and told how much", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  const stopped = await rig.attach(session, "bob");
  const fast = reader(await rig.attach(session, "carol"));
  const slow = owner.output[Symbol.asyncIterator]();
  let most = 0;
  for (let count = 0; count < 64; count += 1) {
    await agent.receive(output(new Uint8Array(64 * 1024)));
    most = Math.max(most, session.bufferedBytes);
  }
  await expect.poll(() => fast.bytes()).toBeGreaterThan(4 * MiB);
  expect(most).toBeLessThan(MiB);
  expect(session.bufferedBytes).toBeLessThan(64 * 1024);
  // The owner is one that does not read, too; now it does.
  const told: OperatorOutput[] = [];
  while (notices(told).every(([kind]) => kind !== "BEHIND"))
    told.push((await slow.next()).value ?? expect.unreachable());
  expect(notices(told)).toContainEqual(["BEHIND", `you fell behind: ${4 * MiB} bytes of output were left out here`]);
  const screen = (await slow.next()).value;
  expect(screen?.case).toBe("output");
  await agent.receive(output("again"));
  expect((await slow.next()).value).toMatchObject({ case: "output", value: Buffer.from("again") });
  const end = agent.receive(exit(0));
  expect((await slow.next()).value).toMatchObject({ case: "exit" });
  await end;
  const { messages, bytes } = await readAll(stopped);
  // The screen when it came, and the screen at the end.
  expect(bytes.length).toBeLessThan(64 * 1024);
  expect(notices(messages).at(-1)).toEqual(["BEHIND", expect.stringContaining(`${4 * MiB + 5} bytes`)]);
  expect(messages.at(-1)).toMatchObject({ case: "exit" });
});

test("those who only watch never hold a program that nobody can stop", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  await rig.attach(session, "bob");
  await owner.send(DETACH);
  for (let count = 0; count < 32; count += 1) await agent.receive(output(new Uint8Array(64 * 1024)));
  expect(session.bufferedBytes).toBeLessThan(MiB);
});

test("a command is paced by its owner alone, who gets every byte; a watcher that is slower is skipped", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open(commandStart("cat"));
  await rig.attach(session, "bob");
  const fast = reader(await rig.attach(session, "carol"));
  let sent = 0;
  const flood = (async () => {
    for (; sent < 64; sent += 1) await agent.receive(output(new Uint8Array(64 * 1024)));
    await agent.receive(exit(0));
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(sent).toBeLessThan(16);
  const { bytes } = await readAll(owner);
  await flood;
  await fast.done;
  expect(bytes.length).toBe(4 * MiB);
  expect(fast.bytes()).toBe(4 * MiB);
});

test("the owner lets a watcher write, and takes it back; nobody else can", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent, toAgent } = await rig.open();
  const first = reader(owner);
  const bob = await rig.attach(session, "bob", true);
  const second = reader(bob);
  await expect(bob.send(admit(bob, true))).rejects.toMatchObject({ code: "denied" });
  await bob.send(typed("no"));
  await owner.send(admit(bob, true));
  await bob.send(typed("yes"));
  await bob.send(window(50, 60));
  await owner.send(admit(bob, false));
  await bob.send(typed("no more"));
  expect(await toAgent.next()).toMatchObject({ value: { case: "input", value: Buffer.from("yes") } });
  expect(await toAgent.next()).toMatchObject({ value: { case: "window", value: { rows: 50, columns: 60 } } });
  await owner.send(typed("last"));
  expect(await toAgent.next()).toMatchObject({ value: { case: "input", value: Buffer.from("last") } });
  await agent.receive(exit(0));
  await Promise.all([first.done, second.done]);
  expect(notices(first.messages).map(([, text]) => text)).toEqual([
    "bob watches this session, from 192.0.2.1",
    "bob asks to write",
    "bob may write now",
    "bob only watches now",
  ]);
  expect(notices(second.messages).map(([, text]) => text)).toEqual([
    "you only watch until alice lets you write",
    "you only watch this session: what you type goes nowhere",
    "you may write now",
    "you only watch now",
  ]);
});

test("detached, a terminal goes on, and its operator comes back as the owner", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent, toAgent } = await rig.open();
  const before = reader(owner);
  await owner.send(DETACH);
  await before.done;
  expect(before.messages.at(-1)).toMatchObject({ case: "detached", value: { reason: "", hold: { seconds: 600n } } });
  expect(session.state).toBe("detached");
  await agent.receive(output("nobody sees this"));
  expect((await rig.attach(session, "bob", true)).session.id).toBe(session.row.id);
  expect(session.participants).toMatchObject([{ operator: "bob", role: "watcher" }]);
  const again = await rig.attach(session, "alice", true);
  expect(session.state).toBe("open");
  await again.send(typed("back"));
  expect(await toAgent.next()).toMatchObject({ value: { case: "signal", value: 28 } });
  expect(await toAgent.next()).toMatchObject({ value: { case: "input", value: Buffer.from("back") } });
  expect((await rig.file(session, "raw")).toString()).toBe("nobody sees this");
  // From another place while that one is there: the last one counts.
  const third = reader(await rig.attach(session, "alice", true));
  const { messages } = await readAll(again);
  expect(messages.at(-1)).toMatchObject({
    case: "detached",
    value: { reason: "alice attached again from 192.0.2.1", comeBack: false },
  });
  await agent.receive(exit(0));
  await third.done;
  expect(await rig.shells.get(session.row.id)).toMatchObject({ exitCode: 0, endReason: "" });
});

test("nobody comes back: the session ends with a sentence, and not before its time", async () => {
  await using rig = await openShellsRig({ limits: { holdMs: 1200 } });
  const { session, owner } = await rig.open();
  owner.leave("the operator went away");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const back = await rig.attach(session, "alice", true);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(session.state).toBe("open");
  back.leave("the operator went away");
  await expect.poll(() => session.state).toBe("ended");
  await session.allGone;
  const { endReason } = await rig.shells.get(session.row.id);
  expect(endReason).toBe("nobody came back to it within 0.02 min");
  await expect(rig.attach(session, "alice")).rejects.toMatchObject({ code: "precondition" });
});

test("a command cannot be detached, and ends with its operator; a watcher of it may come and go", async () => {
  await using rig = await openShellsRig();
  const { session, owner } = await rig.open(commandStart("cat"));
  const bob = await rig.attach(session, "bob");
  await bob.send(LEAVE);
  expect((await readAll(bob)).messages.at(-1)).toMatchObject({ case: "detached" });
  await expect(owner.send(DETACH)).rejects.toMatchObject({ code: "invalid" });
  owner.leave("the operator went away");
  await expect
    .poll(async () => await rig.shells.get(session.row.id))
    .toMatchObject({ endReason: "the operator went away" });
});

test("an owner that leaves for good ends the session for all", async () => {
  await using rig = await openShellsRig();
  const { session, owner } = await rig.open();
  const bob = reader(await rig.attach(session, "bob"));
  await owner.send(LEAVE);
  await readAll(owner);
  await bob.done;
  expect(bob.messages.at(-1)).toEqual({ case: "exit", value: { code: 255, signal: 0, reason: "alice left it" } });
});

test("killed: all are told by whom and why, and the agent's stream ends", async () => {
  await using rig = await openShellsRig();
  const { session, owner, toAgent } = await rig.open();
  const first = reader(owner);
  const row = await rig.kill(session, "bob", "the host is needed");
  await first.done;
  expect(first.messages.at(-1)).toMatchObject({ value: { reason: "bob ended it: the host is needed" } });
  expect(row).toMatchObject({ endReason: "bob ended it: the host is needed", endedAt: expect.any(Number) });
  expect(await toAgent.next()).toMatchObject({ done: true });
  await expect(rig.kill(session, "bob", "")).rejects.toMatchObject({ code: "precondition" });
});

test("of several who type one terminal answers the program: the owner's, else that of who types longest", async () => {
  await using rig = await openShellsRig();
  const { session, owner, toAgent } = await rig.open();
  const [bob, carol] = [await rig.attach(session, "bob", true), await rig.attach(session, "carol", true)];
  const seen = [owner, bob, carol].map(reader);
  for (const who of [bob, carol]) await owner.send(admit(who, true));
  const next = async () => Buffer.from((await toAgent.next()).value?.value as Uint8Array).toString();
  const reply = "\x1b]11;rgb:0000/0000/0000\x07\x1b[?62;4c";
  await bob.send(typed(reply));
  await carol.send(typed(`l${reply}s`));
  expect(await next()).toBe("ls");
  await owner.send(typed(reply));
  expect(await next()).toBe(reply);
  // In pieces too; and an escape that somebody typed comes, if a little later.
  for (const piece of ["\x1b", "[12;", "40R", "x", "\x1b"]) await bob.send(typed(piece));
  expect([await next(), await next()]).toEqual(["x", "\x1b"]);
  await owner.send(DETACH);
  await bob.send(typed(reply));
  await carol.send(typed(`${reply}carol`));
  expect([await next(), await next()]).toEqual([reply, "carol"]);
  bob.leave("");
  await carol.send(typed(reply));
  expect(await next()).toBe(reply);
  // Who only watches is not told so for what the terminal said by itself.
  const dave = await rig.attach(session, "dave", true);
  seen.push(reader(dave));
  await dave.send(typed(reply));
  await dave.send(typed("x"));
  await expect.poll(() => notices(seen[3]?.messages ?? []).at(-1)?.[0]).toBe("READ_ONLY");
  expect(notices(seen[3]?.messages ?? []).filter(([kind]) => kind === "READ_ONLY")).toHaveLength(1);
});

test("a command's input is what was sent, byte for byte", async () => {
  await using rig = await openShellsRig();
  const { owner, toAgent } = await rig.open(commandStart("cat"));
  const bytes = Buffer.from("\x1b[12;40R\x1b]11;rgb");
  await owner.send({ case: "input", value: bytes });
  expect((await toAgent.next()).value).toEqual({ case: "input", value: bytes });
});
