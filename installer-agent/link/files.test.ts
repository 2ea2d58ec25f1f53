import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { FileDoor } from "../testing/file-door.ts";
import { fastestCipher } from "./fastest-cipher.ts";
import type { FileRef } from "./file-request.ts";
import { filesOf } from "./files.ts";

let door: FileDoor;
beforeEach(async () => {
  door = await FileDoor.open();
});
afterEach(() => door.close());

const content = randomBytes(3_000_000);

async function rig(changes: { readonly idleMs?: number; readonly patienceMs?: number } = {}) {
  const identity = await door.identity();
  const files = filesOf({ identity, backoff: { min: 10, max: 50 }, idleMs: 10_000, ...changes });
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const read = (file: FileRef, signal = AbortSignal.timeout(60_000)) =>
    files.read(file, { what: "the image debian:12", signal, log });
  return { lines, read, whole: async (file: FileRef) => Buffer.concat(await Array.fromAsync(read(file))) };
}

test("a file comes whole, with the installer's certificate", async () => {
  const { whole, lines } = await rig();
  const file = door.add(content);
  expect((await whole(file)).equals(content)).toBe(true);
  expect(door.asks).toEqual([`/files/v1/${file.digest} - installer 01900000-0000-7000-8000-000000000001`]);
  expect(lines).toEqual([]);
  expect([...door.ciphers]).toEqual([fastestCipher()]);
  expect(await whole(door.add(Buffer.alloc(0)))).toHaveLength(0);
});

test("cut, left hanging, or refused for now: the rest comes from where it broke off", async () => {
  const { whole, lines } = await rig({ idleMs: 1_000 });
  const file = door.add(content);
  const fates = [
    { after: 1_000_000, end: "cut" },
    { after: 500_000, end: "hang" },
    { status: 503 },
    { after: 0, end: "cut" },
  ] as const;
  door.fate = (before) => fates[before] ?? "whole";
  expect((await whole(file)).equals(content)).toBe(true);
  const ranges = door.asks.map((ask) => ask.split(" ")[1]);
  expect(ranges[0]).toBe("-");
  expect(new Set(ranges).size).toBeGreaterThan(2);
  expect(lines.join("\n")).toMatch(/the image debian:12, after .* of 2\.9 MiB: .*trying again/);
  expect(lines.join("\n")).toContain("nothing came for 1 s");
});

test("an hpsd that is away is waited for; one that takes no ranges is read from the start", async () => {
  const { read, lines } = await rig();
  const file = door.add(content);
  door.ignoreRange = true;
  door.fate = (before) => (before === 0 ? { after: 1_000_000, end: "cut" } : "whole");
  const chunks: Buffer[] = [];
  let away: Promise<void> | undefined;
  for await (const chunk of read(file)) {
    chunks.push(chunk);
    away ??= door.close().then(async () => {
      await sleep(300);
      await door.listen();
    });
  }
  await away;
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
  expect(lines.join("\n")).toContain("connection refused");
});

test("a reader that is slow is not taken for a network that is", async () => {
  const { read, lines } = await rig({ patienceMs: 1_000, idleMs: 1_000 });
  let length = 0;
  for await (const chunk of read(door.add(content))) {
    if (length === 0) await sleep(1_500);
    length += chunk.length;
  }
  expect(length).toBe(content.length);
  expect(lines).toEqual([]);
});

test("patience ends, with what to do", async () => {
  const { whole } = await rig({ patienceMs: 400 });
  const file = door.add(content);
  door.fate = () => ({ status: 503 });
  await expect(whole(file)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^the image debian:12, after 0 B of 2\.9 MiB: .*no byte came for/),
    hint: expect.stringContaining("hpsctl installation retry"),
  });
});

test("other content, another length, or a file that is not there: refused by name and not asked for again", async () => {
  const { whole } = await rig();
  const file = door.add(content);
  door.files.set(
    `/files/v1/${file.digest}`,
    Buffer.concat([content.subarray(0, -1), Buffer.from([(content.at(-1) ?? 0) ^ 1])]),
  );
  await expect(whole(file)).rejects.toMatchObject({
    code: "data-loss",
    message: expect.stringContaining("other content"),
  });
  await expect(whole({ ...file, sizeBytes: 10 })).rejects.toMatchObject({ code: "data-loss" });
  await expect(whole({ ...file, sizeBytes: 4_000_000 })).rejects.toMatchObject({ code: "data-loss" });
  await expect(whole({ ...file, digest: "00".repeat(32) })).rejects.toMatchObject({ code: "not-found" });
  expect(door.asks).toHaveLength(4);
});

test("a file that hpsd has lost is not waited for", async () => {
  const { whole, lines } = await rig();
  const file = door.add(content);
  door.fate = () => ({ status: 507 });
  await expect(whole(file)).rejects.toMatchObject({ code: "data-loss" });
  expect([door.asks.length, lines]).toEqual([1, []]);
});

test("the signal ends it at once", async () => {
  const { read } = await rig({ idleMs: 60_000 });
  door.fate = () => ({ after: 1_000_000, end: "hang" });
  const stop = new AbortController();
  const reading = Array.fromAsync(read(door.add(content), stop.signal));
  setTimeout(() => stop.abort(new HpsError("cancelled", "stop")), 200);
  await expect(reading).rejects.toThrow("stop");
});
