import { appendFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { latin1 } from "../../proto/tree/byte-string.ts";
import { withDelta } from "../testing/delta-between.ts";
import { imageOfTree, type TestImage } from "../testing/image-of-tree.ts";
import { memorySpans } from "../testing/span-files.ts";
import { differences, MEBI, makeTree, makeTrees, noise, optionsFor } from "../testing/unpack-rig.ts";
import type { OldRoot } from "./old-files.ts";
import { unpackImage } from "./unpack-image.ts";

const OWNER = process.getuid?.() === 0;

describe.runIf(OWNER)("a delta", () => {
  let made: Awaited<ReturnType<typeof twoImages>>;
  let first: ReturnType<typeof makeTrees>;
  beforeAll(async () => {
    first = makeTrees();
    made = await twoImages(first);
  }, 60_000);
  afterAll(() => first[Symbol.dispose]());

  /** An older system and a newer image, of which a delta knows how one becomes the other. */
  async function twoImages(trees: ReturnType<typeof makeTrees>): Promise<{
    readonly image: TestImage;
    readonly olds: readonly OldRoot[];
    readonly boot: string;
  }> {
    const old = trees.under("old");
    makeTree(old, { bigBytes: MEBI });
    mkdirSync(`${old}/boot`);
    writeFileSync(`${old}/boot/vmlinuz-6.1.0-32`, noise(3 * MEBI, "kernel"));
    cpSync(old, trees.source, { recursive: true });
    const content = readFileSync(`${old}/boot/vmlinuz-6.1.0-32`);
    rmSync(`${trees.source}/boot/vmlinuz-6.1.0-32`);
    content.fill("new", 1_000_000, 1_000_100);
    writeFileSync(`${trees.source}/boot/vmlinuz-6.1.0-35`, Buffer.concat([content, noise(1000, "more")]));
    for (let index = 0; index < 10; index += 1) appendFileSync(`${trees.source}/usr/lib/${index}`, "changed");
    const base = await imageOfTree(old);
    const image = await withDelta(base, old, await imageOfTree(trees.source));
    // As slots are: what lies below /boot is on a file system of its own.
    const boot = trees.under("boot");
    renameSync(`${old}/boot`, boot);
    mkdirSync(`${old}/boot`);
    const digest = base.files.manifest.digest;
    const olds = [
      { folder: old, prefix: latin1(""), image: digest },
      { folder: boot, prefix: latin1("boot"), image: digest },
    ];
    return { image, olds, boot };
  }

  test("brings what has changed for little", async () => {
    using trees = makeTrees();
    const { image, olds } = made;
    const { spans, bytes } = memorySpans(image.contents);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const done = await unpackImage(optionsFor(image, trees.target, { spans, olds, log }));
    expect(differences(first.source, trees.target)).toEqual([]);
    expect(lines).toEqual([]);
    expect(bytes()).toBeLessThan(150_000);
    expect(done.fetched).toBeLessThan(bytes());
  });

  test("of other old content than it was made with gives nothing, and all is fetched", async () => {
    using trees = makeTrees();
    const { image, olds, boot } = made;
    const before = readFileSync(`${boot}/vmlinuz-6.1.0-32`);
    const content = Buffer.from(before);
    content.fill("another", 2_000_000, 2_000_100);
    writeFileSync(`${boot}/vmlinuz-6.1.0-32`, content);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    await unpackImage(optionsFor(image, trees.target, { olds, log }));
    writeFileSync(`${boot}/vmlinuz-6.1.0-32`, before);
    expect(differences(first.source, trees.target)).toEqual([]);
    expect(lines).toEqual([
      expect.stringMatching(/^delta .*: the delta is damaged at byte \d+: .*; fetching it whole$/),
    ]);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["is cut", (bytes) => bytes.subarray(0, bytes.length - 100)],
    ["has another byte in its index", (bytes) => bytes.fill(1, bytes.length - 100, bytes.length - 90)],
    ["has other bytes in its pieces", (bytes) => bytes.fill(1, 8, 500)],
    ["is gone", () => Buffer.alloc(0)],
  ])("that %s gives nothing, and all is fetched", async (_, damage) => {
    using trees = makeTrees();
    const { image, olds } = made;
    const digest = image.files.deltas[0]?.digest ?? "";
    const contents = new Map(image.contents);
    contents.set(digest, damage(Buffer.from(contents.get(digest) ?? "")));
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    await unpackImage(optionsFor({ ...image, contents }, trees.target, { olds, log }));
    expect(differences(first.source, trees.target)).toEqual([]);
    expect(lines[0]).toMatch(/^delta .* (is of no use|the delta is damaged)/);
  });
});
