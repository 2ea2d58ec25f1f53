/** Unpacking an image while things go wrong: what comes of it is the image, or nothing that could be taken for it. */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unpackImage } from "../../installer-agent/image/unpack-image.ts";
import { filesOf } from "../../installer-agent/link/files.ts";
import { FileDoor } from "../../installer-agent/testing/file-door.ts";
import { imageOfTree, type TestImage } from "../../installer-agent/testing/image-of-tree.ts";
import { memorySpans } from "../../installer-agent/testing/span-files.ts";
import { differences, optionsFor } from "../../installer-agent/testing/unpack-rig.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { makeManyFiles, startUnpacking, unpackHere, writeLibrary } from "./image-trees.ts";

const FILES = 1500;
const BIG = 14_000_000;

let scratch: ReturnType<typeof makeScratch>;
let source: string;
let image: TestImage;
beforeAll(async () => {
  scratch = makeScratch();
  source = scratch.under("source");
  makeManyFiles(source, FILES, BIG);
  mkdirSync(join(source, "rich"));
  makeRichTree(join(source, "rich"));
  image = await imageOfTree(source, { framesAPack: 2 });
  writeLibrary(image, scratch.under("library"));
});
afterAll(() => scratch[Symbol.dispose]());

/** An empty folder to be filled; the last one goes. */
function freshTarget(): string {
  const target = scratch.under("target");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  return target;
}

/** Small files are whole or not there: nothing is ever written that was not verified. */
function expectNothingWrong(target: string): void {
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/^f[0-9]+$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name).slice(target.length + 1);
    const found = readFileSync(join(target, path));
    if (found.length > 0) expect(found.equals(readFileSync(join(source, path))), path).toBe(true);
  }
}

/** When each thing in a folder was changed last, in whatever way. */
function timesIn(folder: string): readonly string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
  return names.map((name) => `${name} ${statSync(join(folder, name)).mtimeMs} ${statSync(join(folder, name)).mode}`);
}

const damagedImage = (damage: (contents: Map<string, Buffer>) => void): TestImage => {
  const contents = new Map([...image.contents].map(([digest, bytes]) => [digest, Buffer.from(bytes)]));
  damage(contents);
  return { ...image, contents };
};

async function outcome(of: TestImage, target: string): Promise<"whole" | HpsError> {
  try {
    await unpackImage(optionsFor(of, target));
    return "whole";
  } catch (error) {
    if (error instanceof HpsError) return error;
    throw error;
  }
}

test("killed at any moment, it goes on with what is right", async () => {
  const target = freshTarget();
  const library = scratch.under("library");
  const began = performance.now();
  expect(unpackHere(library, target)).toMatchObject({ kept: 0 });
  const usual = performance.now() - began;
  freshTarget();
  for (let round = 0; round < 8; round += 1) {
    const child = startUnpacking(library, target);
    const ended = new Promise((resolve) => child.once("close", resolve));
    await Promise.race([sleep(usual * (0.2 + 0.75 * Math.random())), ended]);
    child.kill("SIGKILL");
    await ended;
    expectNothingWrong(target);
    if (round % 3 === 2) freshTarget();
  }
  const last = startUnpacking(library, target);
  await sleep(usual * 0.7);
  last.kill("SIGKILL");
  unpackHere(library, target);
  expect(differences(source, target)).toEqual([]);
});

test("cut off at 20 random places, it fetches the rest from there", async () => {
  const door = await FileDoor.open();
  try {
    for (const [digest, bytes] of image.contents) door.files.set(`/files/v1/${digest}`, bytes);
    let cuts = 0;
    door.fate = () => {
      if (cuts === 20) return "whole";
      cuts += 1;
      return { after: Math.floor(Math.random() ** 3 * 4_000_000), end: "cut" };
    };
    const files = filesOf({ identity: await door.identity(), backoff: { min: 1, max: 20 } });
    const spans = files.open([]);
    const target = freshTarget();
    const done = await unpackImage(optionsFor(image, target, { spans }));
    spans.close();
    expect(cuts).toBe(20);
    expect(differences(source, target)).toEqual([]);
    expect(done.content).toBeGreaterThan(BIG);
  } finally {
    await door.close();
  }
});

describe("what hpsd has is not what it was", () => {
  test("a byte is flipped anywhere: the image, or a refusal that names the part; afterwards it goes on", async () => {
    const target = freshTarget();
    for (let round = 0; round < 25; round += 1) {
      const damaged = damagedImage((contents) => {
        const digests = [...contents.keys()];
        const bytes = contents.get(digests[round % digests.length] ?? "") ?? Buffer.alloc(1);
        const at = Math.floor(Math.random() * bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (round % 8));
      });
      if (round % 5 === 0) freshTarget();
      const end = await outcome(damaged, target);
      if (end === "whole") expect(differences(source, target)).toEqual([]);
      else {
        expect(end.code).toBe("data-loss");
        expect(end.message).toMatch(/(pack|manifest).*of the image debian:12/);
        expectNothingWrong(target);
      }
    }
    expect(await outcome(image, target)).toBe("whole");
    expect(differences(source, target)).toEqual([]);
  });

  test("two packs are each other's, and one is gone", async () => {
    const [one = "", other = ""] = image.files.packs.map(({ digest }) => digest);
    const swapped = damagedImage((contents) => {
      const [first, second] = [contents.get(one), contents.get(other)];
      if (first !== undefined && second !== undefined) contents.set(one, second).set(other, first);
    });
    const target = freshTarget();
    const end = await outcome(swapped, target);
    expect(end).toMatchObject({ code: "data-loss", message: expect.stringContaining(one.slice(0, 12)) });
    const gone = damagedImage((contents) => void contents.delete(other));
    expect(await outcome(gone, target)).toMatchObject({ code: "not-found" });
    expectNothingWrong(target);
    expect(await outcome(image, target)).toBe("whole");
    expect(differences(source, target)).toEqual([]);
  });
});

test("what stands in the target already leads nowhere: nothing outside is touched", async () => {
  const target = freshTarget();
  const outside = scratch.under("outside");
  mkdirSync(join(outside, "folder"), { recursive: true });
  const victims = ["d0", "d1", "rich", "big"];
  for (const name of victims)
    symlinkSync(name === "big" ? join(outside, "file") : join(outside, "folder"), join(target, name));
  mkdirSync(join(target, "d2/e2"), { recursive: true });
  const size = statSync(join(source, "d2/e2/f2")).size;
  writeFileSync(join(outside, "file"), "outside");
  writeFileSync(join(outside, "linked"), Buffer.alloc(size, 1));
  linkSync(join(outside, "linked"), join(target, "d2/e2/f2"));
  writeFileSync(join(outside, "right"), readFileSync(join(source, "d3/e3/f3")));
  mkdirSync(join(target, "d3/e3"), { recursive: true });
  linkSync(join(outside, "right"), join(target, "d3/e3/f3"));
  const before = timesIn(outside);
  const { spans } = memorySpans(image.contents);
  await unpackImage(optionsFor(image, target, { spans }));
  expect(differences(source, target)).toEqual([]);
  expect(timesIn(outside)).toEqual(before);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("outside");
  expect(readFileSync(join(outside, "linked")).every((byte) => byte === 1)).toBe(true);
});
