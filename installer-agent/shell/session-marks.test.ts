import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processesOf } from "./process-session.ts";
import { SessionMarks } from "./session-marks.ts";
import { ShellSessions } from "./shell-sessions.ts";
import { startSession, TEST_SHELLS } from "./testing/session-rig.ts";

let marks: string;
beforeEach(async () => {
  marks = path.join(await mkdtemp(path.join(tmpdir(), "hps-marks-")), "shells");
});
afterEach(async () => await rm(path.dirname(marks), { recursive: true, force: true }));

const next = () => new ShellSessions({ ...TEST_SHELLS, marks });

test("a session is marked while it is open, terminal or command", async () => {
  const sessions = next();
  const terminal = await startSession([], {}, sessions);
  const command = await startSession(["sleep", "1016"], {}, sessions);
  await expect.poll(async () => (await readdir(marks)).length).toBe(2);
  terminal.hangUp();
  await expect.poll(async () => (await readdir(marks)).length, { timeout: 5_000 }).toBe(1);
  command.hangUp();
  await expect.poll(() => sessions.count, { timeout: 5_000 }).toBe(0);
  expect(await readdir(marks)).toEqual([]);
});

test.each(["SIGKILL", undefined] as const)(
  "the next agent ends what one that was killed left; its leader: %s",
  async (end) => {
    const script = "(trap '' HUP; exec sleep 1017) & (setsid sleep 0.1); exec sleep 1018";
    const { pid = 0 } = spawn("sh", ["-c", script], { detached: true, stdio: "ignore" });
    await new SessionMarks(marks).set(pid);
    await expect.poll(() => processesOf(pid)).toHaveLength(2);
    if (end !== undefined) process.kill(pid, end);
    await expect.poll(() => processesOf(pid)).toHaveLength(end === undefined ? 2 : 1);
    await writeFile(path.join(marks, "x"), "no mark");
    await next().endLeft();
    expect(await processesOf(pid)).toEqual([]);
    expect(await readdir(marks)).toEqual(["x"]);
  },
);

test("a number that is another process's by now is let be", async () => {
  const other = spawn("sleep", ["1019"], { detached: true, stdio: "ignore" });
  try {
    await startSession(["true"], {}, next()).then(({ exit }) => exit);
    const mark = path.join(marks, String(other.pid));
    await new SessionMarks(marks).set(other.pid ?? 0);
    const own = await readFile(mark, "utf8");
    // Another process of this number; the same number and age under another start of the machine; no mark at all.
    for (const text of [own.replace(/\d+$/, "1"), `0${own.slice(1)}`, ""]) {
      await writeFile(mark, text === own ? `1${own.slice(1)}` : text);
      await next().endLeft();
      expect(await processesOf(other.pid ?? 0)).toEqual([other.pid]);
      expect(await readdir(marks)).not.toContain(String(other.pid));
    }
  } finally {
    other.kill("SIGKILL");
  }
});
