import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createLog } from "../log.ts";
import { processesOf } from "./process-session.ts";
import { ShellSessions } from "./shell-sessions.ts";
import type { ShellRequest } from "./start-program.ts";
import { type SessionRig, startSession, TEST_SHELLS } from "./testing/session-rig.ts";

const KEPT = 256 * 1024;
const rigs: SessionRig[] = [];
let lines: string[] = [];
afterEach(async () => {
  lines = [];
  await Promise.all(rigs.splice(0).map(({ sessions }) => sessions.close()));
});

async function shell(open: Partial<ShellRequest> = {}): Promise<SessionRig> {
  const log = createLog("info", (line) => void lines.push(line));
  const rig = await startSession([], open, new ShellSessions({ ...TEST_SHELLS, log }));
  rigs.push(rig);
  return rig;
}

async function pidOf(rig: SessionRig): Promise<number> {
  await rig.type("stty -echo; echo pid=$$.\n");
  return Number((await rig.shows(/pid=(\d+)\./))[1]);
}

function numbersIn(last: number): string {
  return Array.from({ length: last }, (_, index) => `${index + 1}\r\n`).join("");
}

test("a terminal goes on after its stream was lost, in the same shell", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  rig.hub.cut();
  await expect.poll(() => rig.hub.resumed.length).toBe(1);
  expect(await pidOf(rig)).toBe(pid);
  await rig.type("exit 9\n");
  expect(await rig.exit).toMatchObject({ code: 9, reason: "" });
  expect(lines.join("")).toMatch(/lost its stream, its program waits 5m to be resumed: the link was cut.*\n.*goes on/);
});

test("while nobody is there 256 KiB are kept, then the program waits; what it wrote comes whole, and its exit", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  rig.hub.refusal = new HpsError("unavailable", "hpsd is not there");
  await rig.type("seq 100000; exit 3\n");
  await rig.shows(/\n1\r\n/);
  rig.hub.cut();
  const before = rig.received();
  await sleep(1_000);
  expect(await processesOf(pid)).toHaveLength(2);
  rig.hub.refusal = undefined;
  expect(await rig.exit).toMatchObject({ code: 3 });
  const [resume] = rig.hub.resumed;
  const kept = Number(resume?.nextOffset) - Number(resume?.firstOffset);
  expect(kept).toBeGreaterThan(KEPT - 32 * 1024);
  expect(kept).toBeLessThanOrEqual(KEPT);
  expect(before).toBeLessThan(rig.received());
  expect(rig.output().toString("latin1")).toContain(numbersIn(100_000));
});

test("input that came is not lost with the stream it came on", async () => {
  const rig = await shell();
  await pidOf(rig);
  await rig.type("sleep 0.7; read line; echo got=$line.\n");
  await rig.type("typed before\n");
  await sleep(100);
  rig.hub.cut();
  await rig.shows(/got=typed before\./);
  expect(Number(rig.hub.resumed[0]?.inputOffset)).toBeGreaterThan(60);
});

test("when nobody resumes it in time, the program and all it started are ended, and the log says why", async () => {
  const rig = await shell({ hold: { seconds: 2n, nanos: 0 } });
  const pid = await pidOf(rig);
  await rig.type("(trap '' HUP; exec sleep 1007) & sleep 1008\n");
  await expect.poll(async () => (await processesOf(pid)).length).toBe(3);
  rig.hub.refusal = new HpsError("unavailable", "hpsd is not there");
  rig.hub.cut();
  await sleep(400);
  expect(await processesOf(pid)).toHaveLength(3);
  await expect.poll(() => rig.sessions.count, { timeout: 5_000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
  expect(lines.join("")).toContain("a terminal is ended: nobody resumed it within 2s");
});

test("a session that hpsd does not know any more is ended at once", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  rig.hub.refusal = new HpsError("not-found", "session is over");
  rig.hub.cut();
  await expect.poll(() => rig.sessions.count, { timeout: 5_000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
  expect(lines.join("")).toContain("a terminal is ended: session is over");
});

test("a command ends with its stream", async () => {
  const log = createLog("info", (line) => void lines.push(line));
  const sessions = new ShellSessions({ ...TEST_SHELLS, log });
  const rig = await startSession(["sh", "-c", "echo pid=$$.; exec sleep 1009"], {}, sessions);
  rigs.push(rig);
  const pid = Number((await rig.shows(/pid=(\d+)\./))[1]);
  rig.hub.cut();
  await expect.poll(() => sessions.count, { timeout: 5_000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
  expect(rig.hub.resumed).toEqual([]);
  expect(lines.join("")).toContain("a command is ended with its stream: the link was cut");
});

test("an agent that stops tells why, of terminals and commands, and leaves nothing", async () => {
  const terminal = await shell();
  const pid = await pidOf(terminal);
  const command = await startSession(["sleep", "1010"], {}, terminal.sessions);
  await terminal.sessions.close("the machine restarts into the installed system");
  for (const { exit } of [terminal, command]) {
    expect(await exit).toMatchObject({ code: 255, reason: "the machine restarts into the installed system" });
  }
  expect(await processesOf(pid)).toEqual([]);
});

test("a terminal that waits to be resumed ends with the agent", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  rig.hub.refusal = new HpsError("unavailable", "hpsd is not there");
  rig.hub.cut();
  await sleep(100);
  await rig.sessions.close();
  expect(await processesOf(pid)).toEqual([]);
});
