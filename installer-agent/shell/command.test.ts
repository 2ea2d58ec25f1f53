import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { processesOf } from "./process-session.ts";
import { type SessionRig, startSession } from "./testing/session-rig.ts";

const rigs: SessionRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map(({ sessions }) => sessions.close()));
});

async function command(...argv: string[]): Promise<SessionRig> {
  const rig = await startSession(argv);
  rigs.push(rig);
  return rig;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("1 MB of noise comes out as it was, standard error apart", async () => {
  const rig = await command("sh", "-c", "f=$(mktemp); head -c 1000000 /dev/urandom >$f; cat $f; cat $f >&2; rm $f");
  expect(await rig.exit).toMatchObject({ code: 0 });
  expect(rig.output().length).toBe(1_000_000);
  expect(sha256(rig.errorOutput())).toBe(sha256(rig.output()));
});

test("outputs can be opened by name, and leave no file", async () => {
  // Of its own: agents of other processes' tests have theirs in the one that is shared.
  const folder = await mkdtemp(path.join(tmpdir(), "hps-outputs-"));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  try {
    const rig = await command("sh", "-c", "tee /dev/stderr >/dev/stdout");
    await rig.type("by name");
    await rig.send({ case: "endOfInput", value: {} });
    expect(await rig.exit).toMatchObject({ code: 0 });
    expect([rig.output().toString(), rig.errorOutput().toString()]).toEqual(["by name", "by name"]);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    process.env.TMPDIR = TMPDIR;
    await rm(folder, { recursive: true });
  }
});

test("where mkfifo is missing the bytes pass all the same", async () => {
  const { PATH } = process.env;
  process.env.PATH = "/no/such/folder";
  try {
    const rig = await command("sh", "-c", "cat; echo error >&2; exit 3");
    await rig.type("socket");
    await rig.send({ case: "endOfInput", value: {} });
    expect(await rig.exit).toMatchObject({ code: 3 });
    expect([rig.output().toString(), rig.errorOutput().toString()]).toEqual(["socket", "error\n"]);
  } finally {
    process.env.PATH = PATH;
  }
});

test("no descriptor is left open, whether a command ran or could not", async () => {
  const open = async () => (await readdir("/proc/self/fd")).length;
  await (await command("true")).exit;
  await expect.poll(() => rigs.at(-1)?.sessions.count).toBe(0);
  const before = await open();
  for (const program of ["true", "no-such-program", "/etc/passwd", "true"]) {
    await (await command(program)).exit;
    await expect.poll(() => rigs.at(-1)?.sessions.count).toBe(0);
  }
  await expect.poll(open).toBeLessThanOrEqual(before);
});

test("1 MB of noise goes in and comes back", async () => {
  const noise = randomBytes(1_000_000);
  const rig = await command("cat");
  for (let offset = 0; offset < noise.length; offset += 50_000) {
    await rig.send({ case: "input", value: noise.subarray(offset, offset + 50_000) });
  }
  await rig.send({ case: "endOfInput", value: {} });
  expect(await rig.exit).toMatchObject({ code: 0 });
  expect(sha256(rig.output())).toBe(sha256(noise));
});

test.each([
  [["sh", "-c", "exit 7"], { code: 7, signal: 0, reason: "" }],
  [["sh", "-c", "kill -9 $$"], { code: 137, signal: 9, reason: "" }],
  [["no-such-program", "x"], { code: 127, signal: 0, reason: 'no program "no-such-program" on this machine' }],
  [["/etc/passwd"], { code: 126, signal: 0, reason: 'the program "/etc/passwd" cannot be run: EACCES' }],
])("%j ends as %j", async (argv, exit) => {
  const rig = await command(...argv);
  expect(await rig.exit).toMatchObject(exit);
});

test("what the kernel refuses is told, not thrown", async () => {
  const rig = await command("echo", "x".repeat(200_000));
  expect(await rig.exit).toMatchObject({ code: 126, reason: 'the program "echo" cannot be run: E2BIG' });
});

test("arguments arrive as they are, without a shell between", async () => {
  const rig = await command("printf", "[%s]", "a b", "$HOME", "", "'\"\\", "\n", "Ω😀");
  await rig.exit;
  expect(rig.output().toString()).toBe(`[a b][$HOME][]['"\\][\n][Ω😀]`);
});

test("a background child that holds the pipes open delays nothing and is gone afterwards", async () => {
  const rig = await command("sh", "-c", "sleep 1005 & echo $$; exit 6");
  expect(await rig.exit).toMatchObject({ code: 6 });
  const session = Number(rig.output().toString());
  expect(session).toBeGreaterThan(1);
  await expect.poll(() => rig.sessions.count, { timeout: 5000 }).toBe(0);
  expect(await processesOf(session)).toEqual([]);
});

test("a program that closes its input early is no failure", async () => {
  const rig = await command("sh", "-c", "exec 0<&-; sleep 0.3; echo done");
  for (let count = 0; count < 10; count += 1) await rig.send({ case: "input", value: Buffer.alloc(100_000) });
  expect(await rig.exit).toMatchObject({ code: 0 });
  expect(rig.output().toString()).toBe("done\n");
});

test("a signal reaches the whole group", async () => {
  const rig = await command("sh", "-c", "trap 'echo caught; exit 9' INT; echo ready; sleep 1006 & wait");
  await rig.shows(/ready/);
  await rig.send({ case: "signal", value: 2 });
  expect(await rig.exit).toMatchObject({ code: 9 });
  expect(rig.output().toString()).toContain("caught");
});

test("a flood nobody reads waits in the program", async () => {
  const rig = await command("sh", "-c", "head -c 20000000 /dev/zero");
  rig.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(rig.received()).toBeLessThan(1024 * 1024);
  rig.resume();
  expect(await rig.exit).toMatchObject({ code: 0 });
  expect(rig.output().length).toBe(20_000_000);
});

test("what multiplies while it is ended is ended all the same", async () => {
  const script =
    "f() { trap '' HUP; n=0; while [ $n -lt 200 ]; do (exec sleep 1020) & n=$((n+1)); done; }; echo $$; f; wait";
  const rig = await command("sh", "-c", script);
  const session = Number((await rig.shows(/(\d+)\n/))[1]);
  rig.hangUp();
  await expect.poll(() => rig.sessions.count, { timeout: 10_000 }).toBe(0);
  expect(await processesOf(session)).toEqual([]);
});
