import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { Spool } from "./spool.ts";

async function linesOf(spool: Spool): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of spool.lines()) lines.push(line);
  return lines;
}

/** A spool that left nothing where it was made. In a folder of its own: the one that is shared is other tests' too. */
async function spoolOf(source: AsyncIterable<Uint8Array>): Promise<Spool> {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-spool-"));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  const spool = await Spool.of(source).finally(() => {
    process.env.TMPDIR = TMPDIR;
  });
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
  return spool;
}

test("lines are read while they come, and again; nothing of it is in a folder", async () => {
  const more = Promise.withResolvers<void>();
  async function* source() {
    yield Buffer.from("one\ntw\xc3", "latin1");
    await more.promise;
    yield Buffer.from("\xa9\nthree\ntorn", "latin1");
  }
  await using spool = await spoolOf(source());
  const first = spool.lines();
  expect((await first.next()).value).toBe("one");
  const second = first.next();
  await delay(5);
  more.resolve();
  expect((await second).value).toBe("tw\u00e9");
  expect(await linesOf(spool)).toEqual(["one", "tw\u00e9", "three"]);
});

test("what fails is told where it is read, after what came before", async () => {
  async function* source() {
    yield Buffer.from("one\n");
    throw new Error("gone");
  }
  await using spool = await Spool.of(source());
  const lines = spool.lines();
  expect((await lines.next()).value).toBe("one");
  await expect(lines.next()).rejects.toThrow("gone");
});

test("where nothing can be kept it is said where, and what to do", async () => {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = "/proc/nowhere";
  const failing = Spool.of((async function* () {})()).finally(() => {
    process.env.TMPDIR = TMPDIR;
  });
  await expect(failing).rejects.toMatchObject({ code: "unavailable", hint: expect.stringContaining("TMPDIR") });
});
