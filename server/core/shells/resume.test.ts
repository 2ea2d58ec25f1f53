import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { AttachedRun } from "./open-sessions.ts";
import type { OperatorOutput, Participant } from "./participant.ts";
import { asked, next, restart } from "./testing/resumed.ts";
import { commandStart, exit, openShellsRig, output } from "./testing.ts";

function reader(participant: Participant) {
  const messages: OperatorOutput[] = [];
  void (async () => {
    for await (const message of participant.output) messages.push(message);
    participant.leave("");
  })();
  const pieces = () => messages.flatMap(({ value }) => (value instanceof Uint8Array ? [value] : []));
  const notices = () => messages.flatMap((message) => (message.case === "notice" ? [message.value.text] : []));
  return { messages, notices, text: () => Buffer.concat(pieces()).toString() };
}

test("a terminal whose link is lost goes on where it was: no byte twice, none left out, what was typed arrives", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent, toAgent } = await rig.open();
  const shown = reader(owner);
  await owner.send({ case: "window", value: create(WindowSizeSchema, { rows: 50, columns: 60 }) });
  await owner.send({ case: "input", value: Buffer.from("abcdef") });
  await toAgent.next();
  expect(await toAgent.next()).toMatchObject({ value: { case: "input" } });
  await agent.receive({ case: "inputTaken", value: 2n });
  await agent.receive(output("one "));
  agent.lost("the connection to the host's agent was lost");
  expect(session.state).toBe("host-lost");
  await agent.receive(output("this comes too late"));
  await owner.send({ case: "input", value: Buffer.from("typed meanwhile") });
  await expect(toAgent.next()).rejects.toMatchObject({ code: "unavailable" });
  const { id } = session.row;
  const again = await rig.shells.resume(asked(id, 0, 8, 4));
  expect(session.state).toBe("open");
  const stream = again.toAgent[Symbol.asyncIterator]();
  expect((await stream.next()).value).toEqual({ case: "recorded", value: 4n });
  expect((await stream.next()).value).toEqual({ case: "input", value: Buffer.from("ef") });
  expect((await stream.next()).value).toEqual({ case: "input", value: Buffer.from("typed meanwhile") });
  expect((await stream.next()).value).toMatchObject({ case: "window", value: { rows: 50, columns: 60 } });
  await again.receive(output("two!"));
  await again.receive(exit(0));
  await session.allGone;
  expect(shown.text()).toBe("one two!");
  expect((await rig.file(session, "raw")).toString()).toBe("one two!");
  expect(shown.notices()).toEqual([
    "host h1 is out of reach; the session waits for it, at most 5 min",
    "host h1 is back",
  ]);
});

test("a newer stream takes the place of one that is not known to be lost", async () => {
  await using rig = await openShellsRig();
  const { session, agent, toAgent } = await rig.open();
  await agent.receive(output("a"));
  const waiting = toAgent.next();
  const again = await rig.shells.resume(asked(session.row.id, 1, 1));
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  agent.lost("too late");
  expect(session.state).toBe("open");
  expect(await next(again)).toEqual({ case: "recorded", value: 1n });
});

test("an agent that does not come back ends the session, a command's at once", async () => {
  await using rig = await openShellsRig({ limits: { lostMs: 60 } });
  const [terminal, command] = [await rig.open(), await rig.open(commandStart("cat"))];
  const shown = [reader(terminal.owner), reader(command.owner)];
  terminal.agent.lost("the connection to the host's agent was lost");
  command.agent.lost("the connection to the host's agent was lost");
  await Promise.all([terminal.session.allGone, command.session.allGone]);
  expect(shown.map(({ messages }) => messages.at(-1)?.value)).toMatchObject([
    { code: 255, reason: "the agent of host h1 was out of reach for 0.001 min" },
    { code: 255, reason: "the connection to the host's agent was lost" },
  ]);
  await expect(rig.shells.resume(asked(terminal.session.row.id, 0, 0))).rejects.toMatchObject({ code: "not-found" });
});

test("output that nobody has any more is told as missing, and the session goes on behind it", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  const shown = reader(owner);
  await agent.receive(output("abc"));
  agent.lost("");
  const again = await rig.shells.resume(asked(session.row.id, 10, 20));
  expect(await next(again)).toEqual({ case: "recorded", value: 10n });
  await again.receive(output("0123456789"));
  again.lost("");
  const third = await rig.shells.resume(asked(session.row.id, 10, 20));
  expect(await next(third)).toEqual({ case: "recorded", value: 20n });
  expect(shown.notices()[1]).toBe("7 bytes of output were lost, for the recording too");
  expect((await rig.file(session, "cast")).toString()).toContain('"m", "7 bytes of output are missing here"');
});

test.each([
  ["less output than is recorded", 0, 2, 0],
  ["output that ends before it begins", 5, 4, 0],
  ["more input than was sent", 0, 3, 1],
])("an agent that has %s breaks the protocol, and the session ends", async (_what, first, last, input) => {
  await using rig = await openShellsRig();
  const { session, agent } = await rig.open();
  await agent.receive(output("abc"));
  await expect(rig.shells.resume(asked(session.row.id, first, last, input))).rejects.toMatchObject({ code: "invalid" });
  await expect
    .poll(async () => (await rig.shells.get(session.row.id)).endReason)
    .toContain("the agent broke the protocol");
});

test("a command is not resumed", async () => {
  await using rig = await openShellsRig();
  const { session } = await rig.open(commandStart("cat"));
  await expect(rig.shells.resume(asked(session.row.id, 0, 0))).rejects.toMatchObject({ code: "invalid" });
});

test("after a restart a terminal waits for its agent and goes on in the same recording; a command is over", async () => {
  await using rig = await openShellsRig();
  const { session, agent } = await rig.open();
  const command = await rig.open(commandStart("cat"));
  await agent.receive(output("before "));
  const { id } = session.row;
  // As after SIGKILL: the first hpsd does nothing more.
  const shells = await restart(rig);
  const left = (await rig.file(command.session, "jsonl")).toString("utf8");
  expect(JSON.parse(left.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ exit: null });
  expect(await shells.get(command.session.row.id)).toMatchObject({
    endReason: "hpsd ended before the session did",
    recordingDigest: `sha256:${createHash("sha256").update(left).digest("hex")}`,
  });
  expect(shells.live(id)).toMatchObject({ state: "host-lost", participants: [] });
  const link = await shells.resume(asked(id, 2, 12, 9));
  expect(await next(link)).toEqual({ case: "recorded", value: 7n });
  await link.receive(output("after"));
  await link.receive({ case: "inputTaken", value: 9n });
  await link.receive(exit(4));
  const raw = await rig.file(session, "raw");
  expect(raw.toString()).toBe("before after");
  const cast = await rig.file(session, "cast");
  expect(await shells.get(id)).toMatchObject({
    ...{ exitCode: 4, endReason: "", recordingBytes: cast.length },
    recordingDigest: `sha256:${createHash("sha256").update(cast).digest("hex")}`,
  });
  expect(cast.toString()).toContain(`raw 12 bytes sha256:${createHash("sha256").update(raw).digest("hex")}`);
  const end = (await rig.audit()).findLast(({ action }) => action === "session.end");
  expect(end).toMatchObject({ actor: "hpsd", details: { outputBytes: "12", exit: "4" } });
  await shells.stop(100);
});

test("nobody resumes: after the restart's time it ends with a sentence", async () => {
  await using rig = await openShellsRig();
  const { session } = await rig.open();
  const shells = await restart(rig, { limits: { lostMs: 50 } });
  await expect
    .poll(async () => (await shells.get(session.row.id)).endReason)
    .toBe("the agent of host h1 was out of reach for 0.0008333333333333334 min");
});

test.each([
  ["what says nothing of its machine", undefined, /was started anew, and what ran under it is gone: was the host/],
  ["its machine was there before", -1000, /was started anew, and what ran under it is gone$/],
  ["its machine was started since", 1, /^host h1 was restarted, and what ran on it is gone$/],
])(
  "an agent that was started anew has none of its sessions, they end at once and say so: %s",
  async (_, after, why) => {
    await using rig = await openShellsRig();
    const { session } = await rig.open();
    const attaches: ((agent: AttachedRun) => void)[] = [];
    const presence = { ...rig.deps.presence, onAttach: (call: (typeof attaches)[number]) => void attaches.push(call) };
    const shells = await restart(rig, { presence });
    const { hostId } = rig;
    attaches[0]?.({ hostId: "another", runId: "run-2" });
    attaches[0]?.({ hostId, runId: "run-1" });
    expect(shells.live(session.row.id)?.state).toBe("host-lost");
    const { startedAt } = session.row;
    attaches[0]?.({ hostId, runId: "run-2", ...(after !== undefined && { bootedAt: startedAt + after }) });
    await expect.poll(async () => (await shells.get(session.row.id)).endReason).toMatch(why);
  },
);

test("what was lost once is lost once, for the hpsd after this one too: it takes no byte twice", async () => {
  await using rig = await openShellsRig();
  const { session, agent } = await rig.open();
  const { id } = session.row;
  await agent.receive(output("abc"));
  agent.lost("");
  const again = await rig.shells.resume(asked(id, 10, 20));
  await again.receive(output("0123456789"));
  // As after SIGKILL, twice.
  for (const [recorded, raw] of [
    [20, "abc0123456789"],
    [21, "abc0123456789z"],
  ] as const) {
    const link = await (await restart(rig)).resume(asked(id, 10, 21));
    expect(await next(link)).toEqual({ case: "recorded", value: BigInt(recorded) });
    expect((await rig.file(session, "raw")).toString()).toBe(raw);
    if (recorded === 20) await link.receive(output("z"));
  }
});
