import { readFile, rm } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { foregroundGroup, processesOf } from "./process-session.ts";
import { ShellSessions } from "./shell-sessions.ts";
import type { ShellRequest } from "./start-program.ts";
import { type SessionRig, startSession, TEST_SHELLS } from "./testing/session-rig.ts";

const rigs: SessionRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map(({ sessions }) => sessions.close()));
});

async function shell(open: Partial<ShellRequest> = {}): Promise<SessionRig> {
  const rig = await startSession([], open);
  rigs.push(rig);
  return rig;
}

/** The process id of the session's shell, asked of itself. */
async function pidOf(rig: SessionRig): Promise<number> {
  await rig.type("echo pid=$$.\n");
  return Number((await rig.shows(/pid=(\d+)\./))[1]);
}

/** The name of the program that has the terminal now. */
async function foreground(shellPid: number): Promise<string> {
  return (await readFile(`/proc/${await foregroundGroup(shellPid)}/comm`, "utf8")).trim();
}

test("the window has its size from the first byte, and follows", async () => {
  const rig = await shell({ rows: 33, columns: 101 });
  await rig.type("stty size\n");
  await rig.shows(/^33 101\r$/m);
  await rig.send({ case: "window", value: { rows: 50, columns: 200 } });
  await rig.type("stty size\n");
  await rig.shows(/^50 200\r$/m);
});

test("the environment is a root login's, and nothing of the agent's", async () => {
  const rig = await shell({ term: "vt100" });
  await rig.type("env | sort; echo e'n'd; shopt -q login_shell && echo lo'g'in\n");
  const text = (await rig.shows(/^(.*)end\r\nlogin/ms))[1] ?? "";
  expect(text).toMatch(/^TERM=vt100\r$/m);
  expect(text).toMatch(/^HOME=\/\S*\r$/m);
  expect(text).toMatch(/^LANG=C.UTF-8\r$/m);
  expect(text).toMatch(/^PATH=\S*\/sbin/m);
  expect(text).not.toContain("VITEST");
});

test("locale and colours are the operator's as far as this machine has them; anything else of an environment is refused", async () => {
  const rig = await shell({ environment: { LANG: "xx_YY.UTF-8", LC_TIME: "POSIX", COLORTERM: "truecolor" } });
  await rig.type("echo $LANG,$LC_TIME,$COLORTERM,e'n'd\n");
  await rig.shows(/^C.UTF-8,POSIX,truecolor,end\r$/m);
  const command = await startSession(["sh", "-c", "echo $LC_ALL"], { environment: { LC_ALL: "C.UTF-8" } });
  rigs.push(command);
  await command.exit;
  expect(command.output().toString()).toBe("C.UTF-8\n");
  for (const environment of [{ LD_PRELOAD: "/x" }, { LANG: "../x" }, { PATH: "/x" }]) {
    await expect(startSession([], { environment })).rejects.toMatchObject({ code: "invalid" });
  }
});

test("the exit code is the shell's", async () => {
  const rig = await shell();
  await rig.type("exit 7\n");
  expect(await rig.exit).toMatchObject({ code: 7, signal: 0, reason: "" });
  await expect.poll(() => rig.sessions.count).toBe(0);
});

test("a shell killed by a signal is 128 + signal", async () => {
  const rig = await shell();
  await rig.type("kill -9 $$\n");
  expect(await rig.exit).toMatchObject({ code: 137, signal: 9 });
});

test("end of input leaves the shell", async () => {
  const rig = await shell();
  await rig.shows(/./);
  await rig.send({ case: "endOfInput", value: {} });
  expect(await rig.exit).toMatchObject({ code: 0 });
});

test("the last output comes before the exit, however slowly it is taken", async () => {
  const rig = await shell();
  await rig.type("stty -echo; echo rea'dy'\n");
  await rig.shows(/ready/);
  rig.pause();
  await rig.type("seq 200000 | tail -n 150000; exit 3\n");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  rig.resume();
  expect(await rig.exit).toMatchObject({ code: 3 });
  const numbers =
    rig
      .output()
      .toString("latin1")
      .match(/^\d+(?=\r$)/gm) ?? [];
  expect(numbers.length).toBe(150_000);
  expect(numbers.at(-1)).toBe("200000");
});

test("a reader that stops holds the program back", async () => {
  const rig = await shell();
  rig.pause();
  await rig.type("yes 0123456789012345678901234567890123456789\n");
  await new Promise((resolve) => setTimeout(resolve, 700));
  const before = process.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024);
  expect(rig.received()).toBeLessThan(1024 * 1024);
  rig.resume();
  await rig.send({ case: "signal", value: 2 });
  await rig.type("exit 5\n");
  expect(await rig.exit).toMatchObject({ code: 5 });
});

test("a signal reaches the foreground, not the shell", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  await rig.type("sleep 1000; echo co'd'e=$?\n");
  await expect.poll(() => foreground(pid)).toBe("sleep");
  await rig.send({ case: "signal", value: 15 });
  await rig.shows(/code=143/);
});

test("input for a program that does not read neither spins nor hides a signal", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  await rig.type("stty raw -echo; sleep 1000; stty cooked; echo ba'c'k\n");
  await expect.poll(() => foreground(pid)).toBe("sleep");
  await rig.send({ case: "input", value: Buffer.alloc(128 * 1024, "x") });
  // Of this thread: the others collect what earlier files left.
  const before = process.threadCpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { user, system } = process.threadCpuUsage(before);
  expect(user + system).toBeLessThan(300_000);
  await rig.send({ case: "signal", value: 9 });
  await rig.shows(/back/);
});

test("nothing is left when hpsd ends the stream: jobs, hangup ignorers, the shell", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  await rig.type("set -m; (trap '' HUP TERM; exec sleep 1001) & nohup sleep 1002 & sleep 1003\n");
  await expect.poll(async () => (await processesOf(pid)).length).toBe(4);
  rig.hangUp();
  await expect.poll(() => rig.sessions.count, { timeout: 5000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
});

test("what runs is asked to end before it is killed", async () => {
  const rig = await shell();
  await rig.type("f=$(mktemp -u); echo file=$f.\n");
  const file = (await rig.shows(/file=(\/\S+)\.\r/))[1] ?? "";
  await rig.type(`(trap 'echo asked >${file}; exit' HUP; while :; do sleep 0.05; done) & echo be'g'un\n`);
  await rig.shows(/begun/);
  rig.hangUp();
  await expect.poll(() => rig.sessions.count, { timeout: 5000 }).toBe(0);
  expect(await readFile(file, "utf8")).toBe("asked\n");
  await rm(file);
});

test("no session has anything of another: what is started later cannot read or type in a terminal", async () => {
  const first = await shell();
  await first.shows(/./);
  const terminal = await startSession([], {}, first.sessions);
  const command = await startSession(["sh", "-c", "ls -l /proc/$$/fd"], {}, first.sessions);
  await terminal.type("ls -l /proc/$$/fd; echo do'n'e\n");
  await terminal.shows(/done/);
  await command.exit;
  for (const { output } of [terminal, command]) expect(output().toString()).not.toContain("ptmx");
  expect(command.output().toString()).toMatch(/ 2 -> /);
});

test("what is announced stands in every terminal and in no command's output", async () => {
  const rig = await shell();
  const command = await startSession(["sleep", "0.5"], {}, rig.sessions);
  await rig.shows(/./);
  rig.sessions.announce("the machine restarts\x1b[2J");
  await rig.shows(/\r\n\*\*\* the machine restarts\\x1b\[2J \*\*\*\r\n/);
  expect(await command.exit).toMatchObject({ code: 0 });
  expect(command.output().length + command.errorOutput().length).toBe(0);
});

test("a background job does not outlive its session", async () => {
  const rig = await shell();
  const pid = await pidOf(rig);
  await rig.type("nohup sleep 1004 & exit 4\n");
  expect(await rig.exit).toMatchObject({ code: 4 });
  await expect.poll(() => rig.sessions.count, { timeout: 5000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
});

test("only so many sessions, each id once, sizes and ids checked, none after the stop", async () => {
  const sessions = new ShellSessions({ ...TEST_SHELLS, sessions: 1 });
  const rig = await startSession([], {}, sessions);
  rigs.push(rig);
  await expect(startSession([], {}, sessions)).rejects.toMatchObject({ code: "exhausted" });
  await sessions.close();
  expect(sessions.count).toBe(0);
  await expect(startSession([], {}, sessions)).rejects.toMatchObject({ code: "unavailable" });
  await expect(startSession([], { rows: 0 })).rejects.toMatchObject({ code: "invalid" });
  await expect(startSession([], { term: "../x" })).rejects.toMatchObject({ code: "invalid" });
});
