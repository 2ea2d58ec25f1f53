import { readdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { RecordingQuotas } from "./recording-room.ts";
import { Recordings } from "./recordings.ts";
import { commandStart, exit, openShellsRig, output, readAll, type ShellsRig } from "./testing.ts";

const DAY = 86_400_000;
const PLENTY = 1e9;
const { signal } = new AbortController();

async function openRig(quotas: Partial<RecordingQuotas> = {}, recording: "strict" | "best-effort" = "strict") {
  const time = { passed: 0 };
  const made: { recordings?: Recordings } = {};
  const all = { sessionBytes: PLENTY, totalBytes: PLENTY, keepMs: 400 * DAY, ...quotas };
  const rig = await openShellsRig({
    recording,
    room: (deps) => {
      const clock = () => Date.now() + time.passed;
      made.recordings = new Recordings({ ...deps, clock, quotas: all });
      return made.recordings.room;
    },
  });
  const { recordings } = made;
  if (recordings === undefined) throw new Error("the rig made no room");
  return { rig, time, recordings, prune: async () => await recordings.prune(signal) };
}

/** A terminal session of about so many bytes, over; its id. */
async function ended(rig: ShellsRig, bytes = 10): Promise<string> {
  const { session, agent } = await rig.open();
  await agent.receive(output("x".repeat(bytes)));
  await agent.receive(exit(0));
  return session.row.id;
}

async function idsIn(rig: ShellsRig): Promise<string[]> {
  return [...new Set((await readdir(rig.folder)).map((name) => name.slice(0, 36)))].toSorted();
}

async function removals(rig: ShellsRig) {
  return (await rig.audit()).filter(({ action }) => action === "recording.remove");
}

test("what is older than it is kept goes, with its reason in the audit log; row and digest stay", async () => {
  const { rig, time, prune, recordings } = await openRig();
  await using _rig = rig;
  const old = await ended(rig);
  const { session: open } = await rig.open();
  await prune();
  expect(await removals(rig)).toEqual([]);
  time.passed = 401 * DAY;
  await prune();
  await prune();
  expect(await idsIn(rig)).toEqual([open.row.id]);
  const { recordingDigest } = await rig.shells.get(old);
  expect(recordingDigest).toMatch(/^sha256:/);
  expect((await rig.shells.get(old)).recordingRemovedAt).toBeGreaterThan(Date.now());
  expect(await removals(rig)).toMatchObject([
    { actor: "hpsd", reason: "it was older than 400d", details: { session: old, recordingDigest } },
  ]);
  const { problems } = await recordings.verify(old);
  expect(problems).toEqual([expect.stringContaining("was removed at")]);
});

test("of too many the oldest go, until there is room again", async () => {
  const { rig, prune, recordings } = await openRig({ totalBytes: 100_000 });
  await using _rig = rig;
  const ids = [await ended(rig, 20_000), await ended(rig, 20_000), await ended(rig, 20_000)];
  await prune();
  expect((await removals(rig)).map(({ details }) => details.session)).toEqual([ids[0]]);
  expect(await idsIn(rig)).toEqual(ids.slice(1).toSorted());
  expect(recordings.room.held).toBeLessThan(100_000);
  expect((await removals(rig))[0]?.reason).toBe("all recordings together held more than 100000B");
});

test("strict: a session that reaches its quota ends with a sentence, and what was shown is recorded", async () => {
  const { rig } = await openRig({ sessionBytes: 100_000 });
  await using _rig = rig;
  const { session, agent } = await rig.open();
  for (let count = 0; count < 10; count += 1) await agent.receive(output("x".repeat(20_000)));
  const reason = "the session's recording has reached its quota of 100000B";
  expect(await rig.shells.get(session.row.id)).toMatchObject({ endReason: reason });
  expect((await rig.audit()).at(-1)).toMatchObject({ action: "session.end", reason });
  expect((await rig.file(session, "raw")).length).toBe(40_000);
});

test("strict: when open sessions alone fill all room, they end, and no other begins until there is room", async () => {
  const { rig } = await openRig({ totalBytes: 100_000 });
  await using _rig = rig;
  const { session, agent } = await rig.open();
  for (let count = 0; count < 50; count += 1) await agent.receive(output("x".repeat(20_000)));
  expect((await rig.shells.get(session.row.id)).endReason).toContain("have reached the quota of all");
  await ended(rig);
  expect(await removals(rig)).toHaveLength(1);
});

test("best-effort: the session goes on, and whoever is in it or joins sees that it is not recorded", async () => {
  const { rig } = await openRig({ sessionBytes: 50_000 }, "best-effort");
  await using _rig = rig;
  const { session, owner, agent } = await rig.open();
  const reading = readAll(owner);
  await agent.receive(output("x".repeat(20_000)));
  const early = readAll(await rig.attach(session, "bob"));
  for (let count = 0; count < 4; count += 1) await agent.receive(output("y".repeat(20_000)));
  expect(session.recorder.complete).toBe(false);
  const late = readAll(await rig.attach(session, "carol"));
  await agent.receive(exit(0));
  const recorded = (await rig.file(session, "raw")).toString();
  const notice = "\r\n*** NOT RECORDED ***\r\n";
  expect((await reading).bytes.toString().split(notice)[0]).toBe(recorded);
  expect((await early).bytes.toString().split(notice)).toHaveLength(2);
  const told = (await late).messages.flatMap((message) => (message.case === "notice" ? [message.value] : []));
  expect(told).toContainEqual(expect.objectContaining({ kind: SessionNoticeKind.NOT_RECORDED }));
  expect((await rig.audit()).at(-1)).toMatchObject({ action: "session.end", details: { recorded: "no", exit: "0" } });
});

test("best-effort: a command is told beside its output, and its output stays exact", async () => {
  const { rig } = await openRig({ sessionBytes: 1_000 }, "best-effort");
  await using _rig = rig;
  const { owner, agent } = await rig.open(commandStart("cat"));
  const reading = readAll(owner);
  await agent.receive(output("x".repeat(5_000)));
  await agent.receive(exit(0));
  const { messages } = await reading;
  const of = (kind: string) =>
    messages.flatMap(({ case: is, value }) => (is === kind && value instanceof Uint8Array ? [value] : []));
  expect(Buffer.concat(of("errorOutput")).toString()).toBe("*** NOT RECORDED ***\n");
  expect(Buffer.concat(of("output")).toString()).toBe("x".repeat(5_000));
  expect(messages.findIndex((message) => message.case === "errorOutput")).toBe(0);
});

test("a command is as small as what is kept of it", async () => {
  const { rig } = await openRig({ sessionBytes: 250_000 });
  await using _rig = rig;
  const { session } = await rig.open(commandStart("cat"));
  for (let count = 0; count < 20; count += 1) await session.recorder.output("output", new Uint8Array(64 * 1024));
  expect(session.recorder.complete).toBe(true);
});

test("files of no session go after a while, files that are none of a recording stay", async () => {
  const { rig, prune } = await openRig();
  await using _rig = rig;
  await ended(rig);
  const kept = await idsIn(rig);
  const orphans = [newUuid(), newUuid()];
  for (const id of orphans) await writeFile(path.join(rig.folder, `${id}.raw`), "x");
  await writeFile(path.join(rig.folder, "README"), "x");
  const [old = ""] = orphans;
  await utimes(path.join(rig.folder, `${old}.raw`), 0, 0);
  await prune();
  expect(await idsIn(rig)).toEqual([...kept, orphans[1] ?? "", "README"].toSorted());
});
