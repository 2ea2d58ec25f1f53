import { createReadStream } from "node:fs";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lastDigest, readChain } from "../../proto/direct/chain.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { createLog } from "../log.ts";
import { ChainFile } from "./chain-file.ts";
import { Recordings } from "./recordings.ts";

let folder: string;
let lines: string[];
const id = newUuid();
const LIMITS = { sessionSize: 1000, size: 1500 };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-chain-"));
  lines = [];
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

const recordings = () =>
  new Recordings(
    folder,
    LIMITS,
    createLog("warn", (line) => lines.push(line)),
  );
const output = (text: string) => ({ case: "output" as const, value: new Uint8Array(Buffer.from(text)) });

async function written(): Promise<string> {
  const path = join(folder, `${id}.chain`);
  const file = await ChainFile.create(path, id);
  await file.append({ case: "begin", value: { session: id } });
  await file.append(output("one"));
  await file.append(output("two"));
  await file.close();
  expect(await lastDigest(createReadStream(path))).toBe(file.digest);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  return path;
}

async function events(path: string): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for await (const { record } of readChain(id, createReadStream(path, { highWaterMark: 7 })))
    found.push(record.event.case);
  return found;
}

test("an agent that was killed leaves a chain without an end: the next one writes it, wherever the last link was torn", async () => {
  for (const cut of [0, 1, 3]) {
    const path = await written();
    await truncate(path, (await stat(path)).size - cut);
    await recordings().openFolder();
    const lost = cut === 0 ? ["output"] : [];
    expect(await events(path)).toEqual(["begin", "output", ...lost, "end"]);
    const size = (await stat(path)).size;
    await recordings().openFolder();
    expect((await stat(path)).size, "an ended one is left as it is").toBe(size);
    await rm(path);
  }
  expect(lines).toEqual([]);
});

test("a chain that is broken in the middle is not mended, and said", async () => {
  const path = await written();
  const bytes = await readFile(path);
  bytes.write("ONE", bytes.indexOf("one"));
  await writeFile(path, bytes);
  await recordings().openFolder();
  expect(await readFile(path)).toEqual(bytes);
  expect(lines.join("")).toMatch(/a kept recording is not whole.*does not follow the one before it/);
});

test("links of another session, taken out, doubled or swapped break the chain", async () => {
  const path = await written();
  await expect(Array.fromAsync(readChain(newUuid(), createReadStream(path)))).rejects.toThrow(/link 1 does not follow/);
  const bytes = await readFile(path);
  const ends: number[] = [];
  for await (const { end } of readChain(id, createReadStream(path))) ends.push(end);
  const [a = 0, b = 0, c = 0] = ends;
  const part = (from: number, to: number) => bytes.subarray(from, to);
  const altered = [
    [part(0, a), part(b, c)],
    [part(0, b), part(a, b)],
    [part(0, a), part(b, c), part(a, b)],
    [Buffer.from([0xff, 0xff, 0xff, 0xff]), bytes],
    [bytes, Buffer.alloc(4)],
  ];
  for (const parts of altered) {
    await writeFile(path, Buffer.concat(parts));
    await expect(events(path)).rejects.toMatchObject({ code: "data-loss" });
  }
});

test("one session and all together have their limit, and what hpsd took makes room", async () => {
  const all = recordings();
  await all.openFolder();
  const first = await all.create(id);
  await first.append(output("x".repeat(700)));
  expect(() => all.admit(first, 400)).toThrow(/this session's recording on the host has reached its limit of/);
  all.admit(first, 100);
  await first.close();
  all.closed(id, true);
  const second = newUuid();
  const other = await all.create(second);
  expect(() => all.admit(other, 900)).toThrow(/keeps .* of recordings that hpsd has not taken, and no more/);
  await other.append(output("y".repeat(900)));
  await other.close();
  all.closed(second, true);
  await expect(all.create(newUuid())).rejects.toMatchObject({ code: "exhausted" });
  expect(await all.waiting()).toEqual([id, second].sort());
  expect(all.undelivered).toBe(2);
  await all.taken(id);
  await all.refused(second);
  expect(all.undelivered).toBe(0);
  expect((await readdir(folder)).sort()).toEqual([`${second}.refused`]);
  await appendFile(join(folder, "stray"), "x");
  expect(await all.waiting()).toEqual([]);
});

test("one that could not be written to its end gets that before it is delivered; what was cut off later does not", async () => {
  for (const isWhole of [false, true]) {
    const all = recordings();
    await all.openFolder();
    const file = await all.create(id);
    await file.append({ case: "begin", value: { session: id } });
    await file.append(output("one"));
    await file.close();
    all.closed(id, isWhole);
    const path = all.fileOf(id);
    await truncate(path, (await stat(path)).size - 1);
    await all.complete(id);
    if (isWhole) await expect(events(path)).rejects.toMatchObject({ code: "data-loss" });
    else expect(await events(path)).toEqual(["begin", "end"]);
    await all.taken(id);
  }
});

test("a session that never began leaves no recording", async () => {
  const all = recordings();
  await all.openFolder();
  const begun = await all.create(id);
  await begun.close();
  await all.discard(id);
  expect([all.undelivered, await all.waiting(), await readdir(folder)]).toEqual([0, [], []]);
  // Nor does one of which a power cut left the beginning of its beginning.
  for (const left of ["", "\0\0\0"]) {
    await writeFile(all.fileOf(id), left);
    await recordings().openFolder();
    expect(await readdir(folder)).toEqual([]);
  }
});
