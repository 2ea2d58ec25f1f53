import { appendFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { Screens } from "./screens.ts";
import { SessionScreen } from "./session-screen.ts";
import { Shells } from "./shells.ts";
import { drawn, reader, SIZE } from "./testing/drawn.ts";
import { exit, openShellsRig, output } from "./testing.ts";

test("what is recorded and waits for the others is not shown twice to one that joins", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  for (let count = 0; count < 8; count += 1) await agent.receive(output(Buffer.alloc(64 * 1024, "x\r\n")));
  const held = agent.receive(output("waits\r\n"));
  await expect.poll(() => session.recorder.outputBytes).toBe(8 * 64 * 1024 + 7);
  const bob = reader(await rig.attach(session, "bob"));
  await held;
  const first = reader(owner);
  await agent.receive(exit(0));
  await Promise.all([bob.done, first.done]);
  const all = await drawn(await rig.file(session, "raw"));
  expect(all.lines.filter((line) => line?.includes("waits"))).toHaveLength(1);
  for (const { bytes } of [first, bob]) expect(await drawn(bytes())).toEqual(all);
});

test("the screen has the terminal's last size, of a session that an earlier hpsd began too", async () => {
  await using rig = await openShellsRig();
  const { session, owner, agent } = await rig.open();
  await owner.send({ case: "window", value: create(WindowSizeSchema, { rows: 5, columns: 120 }) });
  await agent.receive(output(`${"w".repeat(100)}\r\n$ `));
  const wide = { rows: 5, columns: 120 };
  const first = reader(await rig.attach(session, "bob"));
  await expect.poll(() => first.bytes().length).toBeGreaterThan(100);
  await rig.shells.stop(50);
  const shells = new Shells(rig.deps);
  await shells.recover();
  const { id } = session.row;
  const second = reader(await shells.attach(rig.caller("bob"), id, { write: false }, new AbortController().signal));
  await expect.poll(() => second.bytes().length).toBeGreaterThan(100);
  for (const { bytes } of [first, second]) {
    expect((await drawn(bytes(), wide)).lines.slice(0, 2)).toEqual(["w".repeat(100), "$"]);
  }
  await shells.stop(50);
});

test("a screen that takes too long is none, and the next one is rebuilt all the same", async () => {
  const screens = new Screens({ limitMs: 500 });
  const sizes = [{ ...SIZE, at: 0 }];
  const long = Buffer.alloc(64 * 1024 * 1024, "\x1b[1;1H\x1b[1L");
  expect(await screens.rebuild(async () => ({ bytes: long, isWhole: true, sizes }))).toBeUndefined();
  expect(await screens.rebuild(async () => await Promise.reject(new Error("no file")))).toBeUndefined();
  const job = { bytes: Buffer.from("still here"), isWhole: true, sizes };
  // Polled: on a busy machine the new thread may need more than that to read its program.
  await expect.poll(async () => await screens.rebuild(async () => job)).toContain("still here");
});

test("a mebibyte of output is rebuilt beside hpsd, not in it", async () => {
  const screens = new Screens();
  const bytes = Buffer.from("abc \x1b[32mdef\x1b[m\r\n".repeat(60_000)).subarray(0, 1024 * 1024);
  const job = { bytes, isWhole: false, sizes: [{ ...SIZE, at: 0 }] };
  await screens.rebuild(async () => job);
  const before = process.threadCpuUsage();
  expect(await screens.rebuild(async () => job)).toContain("def");
  // Of this thread alone, whatever else the machine does: the whole takes more than it.
  const { user, system } = process.threadCpuUsage(before);
  expect(user + system).toBeLessThan(30_000);
});

/** Milliseconds of this thread's own work in the longest turn of its loop until `work` is done: what it was not given does not count. */
async function longestTurn(work: Promise<unknown>): Promise<number> {
  let isOver = false;
  void work.finally(() => {
    isOver = true;
  });
  let longest = 0;
  for (let before = process.threadCpuUsage(); !isOver; before = process.threadCpuUsage()) {
    await nextTurn();
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
  }
  return longest;
}

test.each([
  ["this hpsd began", SIZE],
  ["an earlier hpsd began", undefined],
] as const)("no turn of hpsd's loop takes 20 ms for the screen of a long session that %s", async (_, window) => {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-screen-"));
  const [raw, cast] = [path.join(folder, "long.raw"), path.join(folder, "long.cast")];
  const [length, tail] = [256 * 1024 * 1024, "abc \x1b[32mdef\x1b[m äöü\r\n".repeat(50_000)];
  await writeFile(raw, "");
  await truncate(raw, length - Buffer.byteLength(tail));
  await appendFile(raw, tail);
  await writeFile(cast, '{"version":3,"term":{"cols":80,"rows":24}}\n');
  await appendFile(cast, `${JSON.stringify([0.01, "o", "x".repeat(4000)])}\n`.repeat(16_000));
  const screens = new Screens();
  const turns: number[] = [];
  // One of three: a collection of garbage is not the screen's.
  for (let times = 0; times < 3 && !turns.some((turn) => turn < 20); times += 1) {
    const drawing = new SessionScreen({ screens, folder, id: "long", window }).at(length);
    turns.push(await longestTurn(drawing));
    const text = (await drawing).map(({ case: kind, value }) => (kind === "output" ? Buffer.from(value) : ""));
    expect(text.join("")).toContain("äöü");
  }
  expect(Math.min(...turns)).toBeLessThan(20);
  await rm(folder, { recursive: true });
});
