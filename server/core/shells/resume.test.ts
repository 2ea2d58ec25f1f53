import { createHash } from "node:crypto";
import { stat, truncate } from "node:fs/promises";
import path from "node:path";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ResumeShellSchema, WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { AgentLink } from "./agent-links.ts";
import type { AttachedRun } from "./open-sessions.ts";
import type { OperatorOutput, Participant } from "./participant.ts";
import { Shells, type ShellsDeps } from "./shells.ts";
import { commandStart, exit, openShellsRig, output, type ShellsRig } from "./testing.ts";

function asked(session: string, first: number, next: number, input = 0) {
  const offsets = { firstOffset: BigInt(first), nextOffset: BigInt(next), inputOffset: BigInt(input) };
  return create(ResumeShellSchema, { session, ...offsets });
}

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

/** The next message to the agent. */
async function next(link: AgentLink) {
  const { value } = await link.toAgent[Symbol.asyncIterator]().next();
  return value;
}

/** Another hpsd on the same store and recordings. */
async function restart(rig: ShellsRig, changes: Partial<ShellsDeps> = {}): Promise<Shells> {
  const shells = new Shells({ ...rig.deps, ...changes });
  await shells.recover();
  return shells;
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

/** A piece that is recorded, or a power cut of hpsd that leaves so much of its files. */
const POWER = fc.oneof(
  { weight: 5, arbitrary: fc.record({ bytes: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 2, arbitrary: fc.record({ raw: fc.double({ min: 0, max: 1 }), cast: fc.double({ min: 0, max: 1 }) }) },
);

test("however often hpsd loses its power: no byte is recorded twice, and what the agent still has is asked for", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(POWER, { minLength: 2, maxLength: 30 }), async (happenings) => {
      await using rig = await openShellsRig();
      const { session, agent } = await rig.open();
      const { id } = session.row;
      const at = (extension: string) => path.join(rig.folder, `${id}.${extension}`);
      let link = agent;
      // Where what is recorded lies in what the program wrote; how much of the cast a power cut cannot take.
      let places: number[] = [];
      let [first, sent, durable] = [0, 0, (await stat(at("cast"))).size];
      for (const happening of happenings) {
        if ("bytes" in happening) {
          const { bytes } = happening;
          const piece = Array.from({ length: bytes }, (_, index) => sent + index);
          await link.receive(output(Buffer.from(piece.map((place) => 33 + (place % 90)))));
          places.push(...piece);
          sent += bytes;
          continue;
        }
        places = places.slice(0, Math.round(places.length * happening.raw));
        await truncate(at("raw"), places.length);
        const { size } = await stat(at("cast"));
        await truncate(at("cast"), Math.max(durable, Math.round(size * happening.cast)));
        // The agent has forgotten what was recorded, but for the end of it.
        first = Math.max(first, sent - 500);
        link = await (await restart(rig)).resume(asked(id, first, sent));
        const from = Math.max(first, (places.at(-1) ?? -1) + 1);
        expect(await next(link)).toEqual({ case: "recorded", value: BigInt(from) });
        if (first === from) durable = (await stat(at("cast"))).size;
        sent = from;
      }
      const raw = await rig.file(session, "raw");
      expect(raw.equals(Buffer.from(places.map((place) => 33 + (place % 90))))).toBe(true);
    }),
    { numRuns: 12 },
  );
});

/** One thing that happens: bytes the program writes, a piece that is sent, a link that is lost with what is on its way. */
const HAPPENING = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("writes" as const), bytes: fc.integer({ min: 1, max: 3000 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("sends" as const), bytes: fc.integer({ min: 1, max: 2000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("loses" as const), bytes: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restarts" as const), bytes: fc.constant(0) }) },
);

test("whatever is lost on the way and whenever hpsd dies: what the program wrote is recorded, each byte once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(HAPPENING, { minLength: 1, maxLength: 60 }), async (happenings) => {
      await using rig = await openShellsRig();
      const { session, agent } = await rig.open();
      const { id } = session.row;
      const program = { written: Buffer.alloc(0), sent: 0 };
      let [shells, link] = [rig.shells, agent];
      const send = async (bytes: number) => {
        const piece = program.written.subarray(program.sent, program.sent + bytes);
        program.sent += piece.length;
        // Not awaited: it may be on its way when the link is lost.
        if (piece.length > 0) void link.receive(output(piece));
      };
      const goOn = async () => {
        // What was recorded may be forgotten; here the agent has kept all.
        link = await shells.resume(asked(id, 0, program.written.length));
        const told = await next(link);
        if (told?.case !== "recorded") throw new Error("hpsd does not say from where");
        program.sent = Number(told.value);
      };
      for (const { kind, bytes } of happenings) {
        if (kind === "writes") {
          const more = Buffer.from(Array.from({ length: bytes }, (_, at) => (program.written.length + at) % 251));
          program.written = Buffer.concat([program.written, more]);
        } else if (kind === "sends") await send(bytes);
        else if (kind === "loses") {
          // Or a stream that nobody knows to be lost.
          if (bytes === 0) link.lost("");
          await goOn();
        } else {
          await shells.stop(50);
          shells = await restart(rig);
          await goOn();
        }
      }
      await send(program.written.length);
      await link.receive(exit(0));
      expect((await rig.file(session, "raw")).equals(program.written)).toBe(true);
      expect(await shells.get(id)).toMatchObject({ exitCode: 0, endReason: "" });
    }),
    { numRuns: 25 },
  );
});
