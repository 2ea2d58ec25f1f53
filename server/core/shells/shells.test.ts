import { createHash, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import path from "node:path";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { EndOfInputSchema, WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { commandStart, exit, openShellsRig, output, readAll } from "./testing.ts";

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Lets everything run that needs no more than the store and a file. */
async function rest(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

test("a terminal session: what the operator got is what is recorded, row and audit tell the rest", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  const window = { term: "xterm", rows: 24, columns: 80 };
  expect(rig.asked).toEqual([
    {
      session: session.row.id,
      command: [],
      ...window,
      environment: { LANG: "de_CH.UTF-8" },
      hold: durationFromMs(300_000),
    },
  ]);
  const reading = readAll(owner);
  await agent.receive(output("h\u00e9"));
  await agent.receive(output(Uint8Array.of(0xf0, 0x9f)));
  await owner.send({ case: "window", value: create(WindowSizeSchema, { rows: 30, columns: 90 }) });
  await agent.receive(output(Uint8Array.of(0x98, 0x80, 0xff)));
  await agent.receive(exit(7));
  const { messages, bytes } = await reading;
  expect(messages.at(-1)).toEqual({ case: "exit", value: { code: 7, signal: 0, reason: "" } });
  expect(await rig.file(session, "raw")).toEqual(bytes);
  const cast = await rig.file(session, "cast");
  const [header = "", ...lines] = cast.toString("utf8").trimEnd().split("\n");
  expect(JSON.parse(header)).toMatchObject({ version: 3, term: { cols: 80, rows: 24, type: "xterm" } });
  expect(lines.at(-1)).toBe(`# raw ${bytes.length} bytes ${sha256(bytes)}`);
  const events: [number, string, string][] = lines.slice(0, -1).map((line) => JSON.parse(line));
  expect(events.map(([, code, data]) => [code, data])).toEqual([
    ["o", "h\u00e9"],
    ["r", "90x30"],
    ["o", "😀\ufffd"],
    ["x", "7"],
  ]);
  expect(events.every(([interval]) => interval >= 0)).toBe(true);

  const row = await rig.shells.get(session.row.id);
  expect(row).toMatchObject({ host: "h1", cluster: "lab", operator: "alice", exitCode: 7, endReason: "" });
  expect([row.recordingBytes, row.recordingDigest]).toEqual([cast.length, sha256(cast)]);
  expect(await rig.audit()).toMatchObject([
    {
      action: "hps.v1.TestService/Test",
      target: `host:${rig.hostId}`,
      reason: "disk is not found",
      details: { session: row.id, command: "[]", recorded: "yes" },
    },
    {
      action: "session.end",
      actor: expect.stringContaining("/operator/alice"),
      details: { exit: "7", outputBytes: String(bytes.length), recorded: "yes", recordingDigest: sha256(cast) },
    },
  ]);
});

test("what the operator is sent is in the recording already, at the moment it comes", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  const raw = path.join(rig.folder, `${session.row.id}.raw`);
  let shown = 0;
  const reading = (async () => {
    for await (const { value } of owner.output) {
      if (value instanceof Uint8Array) shown += value.length;
      expect(statSync(raw).size).toBeGreaterThanOrEqual(shown);
    }
  })();
  for (let count = 0; count < 20; count += 1) await agent.receive(output(randomBytes(1000)));
  await agent.receive(exit(0));
  await reading;
  owner.leave("");
  expect(shown).toBe(20_000);
});

test("a command session: bytes and digests of each direction, the first 64 kB of each output", async () => {
  await using rig = await openShellsRig();
  const noise = randomBytes(100_000);
  const { session, owner, agent } = await rig.open(commandStart("tar", "x"));
  const reading = readAll(owner);
  await owner.send({ case: "input", value: noise.subarray(0, 10) });
  await agent.receive(output(noise.subarray(0, 60_000)));
  await agent.receive(output(noise.subarray(60_000)));
  await agent.receive({ case: "errorOutput", value: noise.subarray(0, 20) });
  await agent.receive(exit(137, 9));
  await reading;
  const lines = (await rig.file(session, "jsonl")).toString("utf8").trimEnd().split("\n");
  const records: Record<string, string>[] = lines.map((line) => JSON.parse(line));
  expect(records[0]).toMatchObject({ version: 1, command: ["tar", "x"], operator: "alice", host: "h1" });
  const kept = Buffer.concat(records.map((record) => Buffer.from(record.output ?? "", "base64")));
  expect(kept).toEqual(noise.subarray(0, 65_536));
  expect(records.at(-1)).toEqual({
    ...{ exit: 137, reason: "" },
    ...{ inputBytes: "10", inputDigest: sha256(noise.subarray(0, 10)) },
    ...{ outputBytes: "100000", outputDigest: sha256(noise) },
    ...{ errorBytes: "20", errorDigest: sha256(noise.subarray(0, 20)) },
  });
  expect(await rig.shells.get(session.row.id)).toMatchObject({ exitCode: 137, command: ["tar", "x"] });
});

test("a slow operator holds the agent back, and what is held stays bounded", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open(commandStart("yes"));
  let sent = 0;
  const flood = (async () => {
    for (; sent < 400; sent += 1) await agent.receive(output(new Uint8Array(64 * 1024)));
    await agent.receive(exit(0));
  })();
  await rest();
  const before = sent;
  await rest();
  expect(sent).toBe(before);
  const held = rig.shells.bufferedBytes.get(session.row.id) ?? 0;
  expect(held).toBeGreaterThan(256 * 1024);
  expect(held).toBeLessThan(1024 * 1024);
  const { bytes } = await readAll(owner);
  await flood;
  expect(bytes.length).toBe(400 * 64 * 1024);
  expect(rig.shells.bufferedBytes.size).toBe(0);
});

test("a program that does not read holds the operator back", async () => {
  await using rig = await openShellsRig();
  const { session, owner } = await rig.open(commandStart("sleep", "1"));
  let sent = 0;
  void (async () => {
    for (; sent < 400; sent += 1) await owner.send({ case: "input", value: new Uint8Array(64 * 1024) });
  })();
  await rest();
  expect(sent).toBeLessThan(20);
  expect(rig.shells.bufferedBytes.get(session.row.id)).toBeLessThan(1024 * 1024);
  owner.leave("the operator went away");
  await session.allGone;
  expect(await rig.shells.get(session.row.id)).toMatchObject({ exitCode: null, endReason: "the operator went away" });
});

test.each([
  ["input", { case: "input", value: new Uint8Array(256 * 1024 + 1) }],
  ["window", { case: "window", value: create(WindowSizeSchema, { rows: 1001, columns: 1 }) }],
  ["signal", { case: "signal", value: 65 }],
] as const)("an operator's %s out of bounds is refused", async (_what, message) => {
  await using rig = await openShellsRig();
  const { owner } = await rig.open();
  await expect(owner.send(message)).rejects.toMatchObject({ code: "invalid" });
});

test("strict: without a recording there is no session", async () => {
  await using rig = await openShellsRig({ folder: "/dev/null/no-such-folder" });
  await expect(rig.open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("recorded") });
  expect(rig.asked).toEqual([]);
  expect(rig.errors).toHaveLength(1);
  expect(await rig.audit()).toEqual([]);
});

test("best-effort: the operator first sees that nothing is recorded, and the audit log says so", async () => {
  await using rig = await openShellsRig({ folder: "/dev/null/no-such-folder", recording: "best-effort" });
  const { session, owner, agent } = await rig.open();
  const reading = readAll(owner);
  await agent.receive(output("secret"));
  await agent.receive(exit(0));
  const { bytes } = await reading;
  expect(bytes.toString()).toBe("\r\n*** NOT RECORDED ***\r\nsecret");
  expect((await rig.audit()).map(({ details }) => details.recorded)).toEqual(["no", "no"]);
  expect(await rig.shells.get(session.row.id)).toMatchObject({ recordingBytes: 0, recordingDigest: "" });
});

test("no agent attached: a sentence, and nothing is left", async () => {
  await using rig = await openShellsRig({ attached: false });
  await expect(rig.open()).rejects.toMatchObject({
    code: "unavailable",
    message: "no agent of host h1 is attached, so there is nothing to open a shell on",
  });
  expect(await rig.audit()).toEqual([]);
});

test("an agent that refuses, or never comes, ends the session with its reason", async () => {
  const refusal = new HpsError("precondition", "16 shell sessions are open already");
  await using refusing = await openShellsRig({ agent: async () => await Promise.reject(refusal) });
  await expect(refusing.open()).rejects.toBe(refusal);
  const [row] = await refusing.shells.list({ clusters: "all", openOnly: false, limit: 10 });
  expect(row).toMatchObject({ exitCode: null, endReason: refusal.message, endedAt: expect.any(Number) });

  await using silent = await openShellsRig({ agent: async () => undefined, limits: { serveMs: 50 } });
  await expect(silent.open()).rejects.toMatchObject({ code: "deadline" });
  expect(await silent.shells.list({ clusters: "all", openOnly: true, limit: 10 })).toEqual([]);

  await using killed = await openShellsRig({ agent: async () => killed.agentLeaves() });
  await expect(killed.open()).rejects.toMatchObject({
    ...{ code: "unavailable", message: "the agent of host h1 was lost while it opened the shell" },
  });
});

test("an operator that leaves before the agent came ends the session", async () => {
  const leaving = new AbortController();
  await using rig = await openShellsRig({ agent: async () => leaving.abort() });
  await expect(rig.open(undefined, leaving.signal)).rejects.toMatchObject({ message: "the operator went away" });
  expect(await rig.shells.list({ clusters: "all", openOnly: true, limit: 10 })).toEqual([]);
});

test("a session is served once, and not after its end", async () => {
  await using rig = await openShellsRig();
  const { session, agent } = await rig.open();
  expect(() => rig.shells.serve(session.row.id)).toThrow("served already");
  await agent.receive(exit(0));
  expect(() => rig.shells.serve(session.row.id)).toThrow("is over");
});

test("so many on a host, so many in all; an ended one makes room", async () => {
  await using rig = await openShellsRig({ limits: { perHost: 1 } });
  const { agent } = await rig.open();
  await expect(rig.open()).rejects.toMatchObject({ code: "exhausted", message: expect.stringContaining("this host") });
  await agent.receive(exit(0));
  await rig.open();
  await using all = await openShellsRig({ limits: { inAll: 0 } });
  await expect(all.open()).rejects.toMatchObject({ message: expect.stringContaining("this server") });
});

test("the agent's stream ends when the session does", async () => {
  await using rig = await openShellsRig();
  const { owner, toAgent } = await rig.open(commandStart("cat"));
  await owner.send({ case: "endOfInput", value: create(EndOfInputSchema) });
  expect(await toAgent.next()).toMatchObject({ value: { case: "endOfInput" } });
  const next = toAgent.next();
  owner.leave("the operator went away");
  expect(await next).toMatchObject({ done: true });
});

test("a stop ends commands and leaves terminals to the next hpsd, and tells their operators which", async () => {
  await using rig = await openShellsRig();
  const [terminal, command] = [await rig.open(), await rig.open(commandStart("cat"))];
  const reading = [readAll(terminal.owner), readAll(command.owner)];
  await rig.shells.stop(5000);
  const [detached, ended] = await Promise.all(reading);
  expect(detached?.messages).toMatchObject([
    { case: "detached", value: { reason: "hpsd is stopping", comeBack: true, hold: { seconds: 600n } } },
  ]);
  expect(ended?.messages).toEqual([{ case: "exit", value: { code: 255, signal: 0, reason: "hpsd is stopping" } }]);
  expect(await rig.shells.get(command.session.row.id)).toMatchObject({ endReason: "hpsd is stopping" });
  expect(await rig.shells.get(terminal.session.row.id)).toMatchObject({ endedAt: null });
  await expect(terminal.toAgent.next()).rejects.toMatchObject({ code: "unavailable" });
  expect(await command.toAgent.next()).toMatchObject({ done: true });
  await expect(rig.open()).rejects.toMatchObject({ code: "unavailable" });
});

test("sessions are listed newest first, page by page, open ones alone", async () => {
  await using rig = await openShellsRig();
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) ids.push((await rig.open()).session.row.id);
  const newest = [...ids].reverse();
  const all = { clusters: "all", openOnly: false } as const;
  const first = await rig.shells.list({ ...all, limit: 2 });
  expect(first.map(({ id }) => id)).toEqual(newest.slice(0, 2));
  const [, last] = first;
  const rest = await rig.shells.list({ ...all, limit: 2, ...(last && { before: last }) });
  expect(rest.map(({ id }) => id)).toEqual(newest.slice(2));
  expect(await rig.shells.list({ clusters: [], openOnly: false, limit: 2 })).toEqual([]);
});
