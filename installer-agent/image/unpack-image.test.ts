import {
  appendFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { ACL_DEFAULT, aclBytes } from "../../proto/tree/acl.ts";
import { byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import { compareTrees } from "../../proto/tree/compare/compare.ts";
import { recordsOfTree } from "../../proto/tree/compare/records-of-tree.ts";
import { setXattr } from "../../proto/tree/native/xattrs.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { run } from "../../proto/tree/testing/scratch.ts";
import { imageOfTree } from "../testing/image-of-tree.ts";
import { memorySpans } from "../testing/span-files.ts";
import { differences, MEBI, makeTree, makeTrees, noise, optionsFor } from "../testing/unpack-rig.ts";
import { unpackImage } from "./unpack-image.ts";

const OWNER = process.getuid?.() === 0;
describe.runIf(OWNER)("an image becomes a tree", () => {
  test("with one of everything", async () => {
    using trees = makeTrees();
    makeRichTree(trees.source);
    const image = await imageOfTree(trees.source);
    const done = await unpackImage(optionsFor(image, trees.target));
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(done).toMatchObject({ kept: 0, reused: 0, entries: image.manifest.entries.length });
  });

  test("from packs that hold more than is needed, each object from the first that has it", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source, { framesAPack: 1 });
    const { files } = image;
    const twice = { ...files, packs: [...files.packs, ...files.packs.toReversed()] };
    const { spans, asks } = memorySpans(image.contents);
    const told: number[] = [];
    const progress = (done: number) => void told.push(done);
    await unpackImage(optionsFor(image, trees.target, { files: twice, spans, progress }));
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(asks.filter(({ from }) => from === 8)).toHaveLength(files.packs.length);
    expect(told).toEqual(told.toSorted((one, other) => one - other));
    expect(told.at(-1)).toBe(statSync(`${trees.source}/big`).size + 4000 + (40 * 3000 + 780));
  });
});

describe.runIf(OWNER)("what is there already", () => {
  test("is not fetched again, and what is not of the image goes", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source);
    await unpackImage(optionsFor(image, trees.target));
    writeFileSync(`${trees.target}/strange`, "x");
    mkdirSync(`${trees.target}/usr/folder`);
    writeFileSync(`${trees.target}/usr/folder/x`, "x");
    renameSync(`${trees.target}/usr/lib/1`, `${trees.target}/usr/lib/x`);
    writeFileSync(`${trees.target}/usr/lib/2`, noise(3002, "other"));
    truncateSync(`${trees.target}/usr/lib/3`, 5);
    rmSync(`${trees.target}/usr/lib/4`);
    mkdirSync(`${trees.target}/usr/lib/4`);
    rmSync(`${trees.target}/usr/lib/5`);
    symlinkSync("/etc/passwd", `${trees.target}/usr/lib/5`);
    linkSync(`${trees.target}/usr/lib/6`, `${trees.target}/usr/lib/six`);
    const acl = aclBytes(latin1("user::rwx,user:7:rwx,group::rwx,mask::rwx,other::rwx"), () => undefined, latin1("x"));
    setXattr(byteStringOf(`${trees.target}/usr/lib`), ACL_DEFAULT, acl);
    const { spans, bytes } = memorySpans(image.contents);
    const done = await unpackImage(optionsFor(image, trees.target, { spans }));
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(done.kept).toBe(9 * MEBI + 4000 + 40 * 3000 + 780 - (5 * 3000 + 15));
    expect(bytes()).toBeLessThan(5 * MEBI);
  });

  test("of a file in several pieces only the right ones stay", async () => {
    using trees = makeTrees();
    writeFileSync(`${trees.source}/big`, noise(13 * MEBI, "big"));
    const image = await imageOfTree(trees.source);
    cpSync(trees.source, trees.target, { recursive: true });
    const content = readFileSync(`${trees.target}/big`);
    content[5 * MEBI] = 255 - (content[5 * MEBI] ?? 0);
    writeFileSync(`${trees.target}/big`, content.subarray(0, 9 * MEBI));
    const { spans, bytes } = memorySpans(image.contents);
    const done = await unpackImage(optionsFor(image, trees.target, { spans }));
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(done.kept).toBe(4 * MEBI);
    expect(bytes()).toBeLessThan(10 * MEBI);
  });
});

describe.runIf(OWNER)("an older system", () => {
  test("gives what it has, wherever it lies there", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const old = trees.under("old");
    cpSync(trees.source, old, { recursive: true });
    renameSync(`${old}/usr/lib/7`, `${old}/seven`);
    renameSync(`${old}/big`, `${old}/large`);
    appendFileSync(`${old}/usr/lib/8`, "more");
    writeFileSync(`${old}/usr/lib/9`, noise(3009, "other"));
    symlinkSync("/dev/zero", `${old}/endless`);
    run(["mkfifo", `${old}/fifo`]);
    const image = await imageOfTree(trees.source);
    const { spans, bytes } = memorySpans(image.contents);
    const olds = [{ folder: old, prefix: latin1("") }];
    const before = recordsOfTree(old);
    const done = await unpackImage(optionsFor(image, trees.target, { spans, olds }));
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(done.reused).toBe(9 * MEBI + 4000 + 40 * 3000 + 780 - (2 * 3000 + 17));
    expect(bytes()).toBeLessThan(5 * MEBI);
    expect(compareTrees(before, recordsOfTree(old))).toEqual([]);
  });

  test("whose disk takes too long is left, and all is fetched", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source);
    const started = performance.now();
    let looks = 0;
    const now = vi.spyOn(performance, "now").mockImplementation(() => {
      looks += 1;
      return started + looks * 60_000; // each look at the clock a minute later
    });
    const lines: string[] = [];
    const olds = [{ folder: trees.source, prefix: latin1("") }];
    const log = (line: string) => void lines.push(line);
    const done = await unpackImage(optionsFor(image, trees.target, { olds, log })).finally(() => now.mockRestore());
    expect(differences(trees.source, trees.target)).toEqual([]);
    expect(lines).toEqual(["the older system is read too slowly: the rest is fetched"]);
    expect(done).toMatchObject({ reused: 0, made: 0 });
    expect(done.fetched).toBeGreaterThan(9 * MEBI);
  });
});

describe.runIf(OWNER)("what is not right is refused by its name", () => {
  test("a byte of a frame; nothing of it is written", async () => {
    using trees = makeTrees();
    writeFileSync(`${trees.source}/one`, noise(4000, "one"));
    const image = await imageOfTree(trees.source);
    const [pack] = image.files.packs;
    const bytes = image.contents.get(pack?.digest ?? "") ?? Buffer.alloc(0);
    bytes[2000] = 255 - (bytes[2000] ?? 0);
    await expect(unpackImage(optionsFor(image, trees.target))).rejects.toMatchObject({
      code: "data-loss",
      message: expect.stringMatching(`^pack ${pack?.digest.slice(0, 12)}… of the image debian:12: the pack is damaged`),
    });
    expect(readdirSync(trees.target)).toEqual([]);
  });

  test("an object that no pack has", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source, { framesAPack: 1 });
    const files = { ...image.files, packs: image.files.packs.slice(1) };
    await expect(unpackImage(optionsFor(image, trees.target, { files }))).rejects.toMatchObject({
      code: "data-loss",
      message: expect.stringMatching(/the image is not complete: \d+ of its objects are in none of the \d packs/),
    });
  });

  test("a manifest with more in it than hpsd announced, before anything is written", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source);
    const { tree } = image.files;
    for (const less of [{ entries: tree.entries - 1 }, { contentBytes: tree.contentBytes - 1 }]) {
      const files = { ...image.files, tree: { ...tree, ...less } };
      await expect(unpackImage(optionsFor(image, trees.target, { files }))).rejects.toMatchObject({
        code: "data-loss",
        message: expect.stringMatching(/the manifest of the image debian:12 has more than the \d+ .* announced/),
      });
    }
    expect(readdirSync(trees.target)).toEqual([]);
  });

  test("a pack that is gone", async () => {
    using trees = makeTrees();
    makeTree(trees.source);
    const image = await imageOfTree(trees.source);
    const { spans } = memorySpans(new Map());
    await expect(unpackImage(optionsFor(image, trees.target, { spans }))).rejects.toMatchObject({ code: "not-found" });
  });
});
