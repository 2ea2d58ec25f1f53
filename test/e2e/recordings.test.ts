import { appendFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { RecordingPart } from "../../proto/gen/hps/v1/shell_pb.ts";
import { OperatorSession } from "./operator-session.ts";
import { auditOf, type Operator, startShellRig } from "./shell-rig.ts";

async function read(operator: Operator, session: string, part: RecordingPart = RecordingPart.UNSPECIFIED) {
  const pieces: Buffer[] = [];
  for await (const { data } of operator.readRecording({ session, part })) pieces.push(Buffer.from(data));
  return Buffer.concat(pieces);
}

test("a recording is read back byte for byte over the wire, and what is done to it on the disk shows", async () => {
  await using rig = await startShellRig();
  const session = OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm" });
  const { id } = await session.session;
  await session.type("seq 100000\n");
  await session.shows(/100000\r\n/);
  expect((await read(rig.operator, id)).toString()).toContain('"version":3');
  await session.type("exit\n");
  await session.exit();
  const row = await rig.operator.getSession({ session: id });
  expect(await read(rig.operator, id, RecordingPart.RAW)).toEqual(Buffer.concat(session.output));
  expect(await read(rig.operator, id)).toEqual(await rig.recordingOf(row, "cast"));
  expect((await rig.operator.verifyRecording({ session: id })).problems).toEqual([]);
  await appendFile(path.join(rig.folder, `${id}.raw`), "x");
  expect((await rig.operator.verifyRecording({ session: id })).problems).toEqual([
    'its part "raw" is not what it was when the session ended',
  ]);
  await expect(read(rig.operator, id, RecordingPart.COMMAND)).rejects.toMatchObject({ code: "not-found" });
  const readers = (await auditOf(rig)).filter(({ action }) => action === "session.read");
  expect(readers.map(({ details }) => details.part)).toEqual(["cast", "raw", "cast"]);
});

/** A password asked for without echo, as a program does it. */
const ASK = "stty -echo; printf 'be%s\\n' gin; read word; exit\n";

async function askedFor(session: OperatorSession): Promise<string> {
  await session.type(ASK);
  await session.shows(/begin/);
  await session.type("secret\n");
  await session.exit();
  return (await session.session).id;
}

test("what is typed is recorded when that was asked for, exactly, and the session and the audit log say so", async () => {
  await using rig = await startShellRig();
  const session = OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm", recordInput: true });
  expect((await session.session).recordsInput).toBe(true);
  const watcher = OperatorSession.attach(rig.operator, { session: (await session.session).id });
  await watcher.session;
  const id = await askedFor(session);
  await watcher.exit();
  for (const { notices } of [session, watcher]) expect(notices[0]).toContain("passwords as well, is recorded too");
  expect((await read(rig.operator, id, RecordingPart.INPUT)).toString()).toBe(`${ASK}secret\n`);
  expect((await read(rig.operator, id)).toString()).toContain('"i", "secret\\n"');
  expect((await rig.operator.verifyRecording({ session: id })).problems).toEqual([]);
  expect((await auditOf(rig))[0]?.details).toMatchObject({ session: id, input: "recorded" });
});

test("else no key is in any file", async () => {
  await using rig = await startShellRig();
  const session = OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm" });
  expect((await session.session).recordsInput).toBe(false);
  const id = await askedFor(session);
  for (const part of [RecordingPart.CAST, RecordingPart.RAW]) {
    expect((await read(rig.operator, id, part)).toString()).not.toContain("secret");
  }
  await expect(read(rig.operator, id, RecordingPart.INPUT)).rejects.toMatchObject({ code: "not-found" });
});
