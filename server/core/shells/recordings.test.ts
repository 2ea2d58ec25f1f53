import { appendFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { insertRemovedRecording } from "../../store/recordings.ts";
import { operatorCaller } from "../testing/callers.ts";
import type { RecordingPart } from "./recording-files.ts";
import { Recordings } from "./recordings.ts";
import { commandStart, exit, openShellsRig, output, type ShellsRig } from "./testing.ts";

const READER = operatorCaller("operator");

function recordingsOf({ deps, folder }: ShellsRig): Recordings {
  return new Recordings({ ...deps, folder, quotas: { sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 } });
}

async function read(rig: ShellsRig, id: string, part?: RecordingPart, offset = 0): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of recordingsOf(rig).read(READER, id, { part, offset })) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** A terminal session that said something and has ended. */
async function ended(rig: ShellsRig): Promise<string> {
  const { session, agent } = await rig.open();
  await agent.receive(output("words"));
  await agent.receive(exit(0));
  return session.row.id;
}

test("each part is read from its offset on, of a session that goes on too, and the audit log has who read it", async () => {
  await using rig = await openShellsRig();
  const { session, agent } = await rig.open();
  const { id } = session.row;
  await agent.receive(output("words"));
  expect(await read(rig, id)).toContain('"o", "words"');
  expect(await read(rig, id, "raw", 2)).toBe("rds");
  expect(await read(rig, id, "raw", 99)).toBe("");
  await agent.receive(output("x".repeat(200_000)));
  expect((await read(rig, id, "raw")).length).toBe(200_005);
  const events = (await rig.audit()).filter(({ action }) => action === "session.read");
  expect(events).toHaveLength(4);
  expect(events[1]).toMatchObject({
    actor: expect.stringContaining("/operator/alice"),
    target: `host:${rig.hostId}`,
    details: { session: id, part: "raw", offset: "2" },
  });
});

test("what is not there is told apart: another kind's part, keys nobody recorded, nothing recorded, removed", async () => {
  await using rig = await openShellsRig();
  const terminal = await ended(rig);
  const { row: command } = (await rig.open(commandStart("true"))).session;
  await expect(read(rig, terminal, "command")).rejects.toThrow('was a terminal, whose recording has no part "command"');
  await expect(read(rig, command.id, "raw")).rejects.toThrow("was a command");
  await expect(read(rig, terminal, "input")).rejects.toThrow("was not recorded");
  await expect(read(rig, "no-such-session")).rejects.toMatchObject({ code: "not-found" });
  await rm(path.join(rig.folder, `${terminal}.cast`));
  await expect(read(rig, terminal)).rejects.toThrow("has no recording");
  await rig.store.write((tx) => insertRemovedRecording(tx, terminal, { removedAt: 0, reason: "older than 400d" }));
  await expect(read(rig, terminal)).rejects.toThrow("was removed at 1970-01-01T00:00:00.000Z: older than 400d");
  expect((await rig.audit()).filter(({ action }) => action === "session.read")).toEqual([]);
});

test("a recording that nobody touched agrees with row and audit log", async () => {
  await using rig = await openShellsRig();
  const id = await ended(rig);
  const verdict = await recordingsOf(rig).verify(id);
  expect(verdict.problems).toEqual([]);
  expect(new Set([verdict.digest, verdict.sessionDigest, verdict.auditDigest]).size).toBe(1);
  const [event] = (await rig.audit()).filter(({ action }) => action === "session.end");
  expect(verdict.auditSequence).toBe(event?.sequence);
});

test.each([
  ["the cast", "cast", "is not what it was"],
  ["the raw file", "raw", 'its part "raw" is not what it was'],
])("%s that was written to shows", async (_what, extension, problem) => {
  await using rig = await openShellsRig();
  const id = await ended(rig);
  await appendFile(path.join(rig.folder, `${id}.${extension}`), "#\n");
  expect((await recordingsOf(rig).verify(id)).problems).toEqual([expect.stringContaining(problem)]);
});

test("a recording that was replaced along with its row still differs from the audit log", async () => {
  await using rig = await openShellsRig();
  const [id, other] = [await ended(rig), await ended(rig)];
  await writeFile(path.join(rig.folder, `${id}.cast`), await read(rig, other));
  const digest = (await recordingsOf(rig).verify(other)).digest;
  await rig.store.write(
    async (tx) => void (await sql`UPDATE session SET recording_digest = ${digest} WHERE id = ${id}`.execute(tx)),
  );
  expect((await recordingsOf(rig).verify(id)).problems).toEqual([
    "the session's row and the audit log have different digests",
  ]);
  await rig.store.write(async (tx) => void (await sql`DELETE FROM audit WHERE action = 'session.end'`.execute(tx)));
  expect((await recordingsOf(rig).verify(id)).problems[0]).toContain("the audit log has no event");
});

test("a session that goes on has no digest yet", async () => {
  await using rig = await openShellsRig();
  const { session } = await rig.open();
  await expect(recordingsOf(rig).verify(session.row.id)).rejects.toMatchObject({ code: "precondition" });
});
