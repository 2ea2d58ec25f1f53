/** Trees to make images of, and what tests of unpacking ask for. */
import { createCipheriv, createHash } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { compareTrees, showDifference } from "../../proto/tree/compare/compare.ts";
import { recordsOfTree } from "../../proto/tree/compare/records-of-tree.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import type { UnpackImage } from "../image/unpack-image.ts";
import type { TestImage } from "./image-of-tree.ts";
import { memorySpans } from "./span-files.ts";

export const MEBI = 1 << 20;

export function makeTrees() {
  const scratch = makeScratch();
  const [source, target] = [scratch.under("source"), scratch.under("target")];
  mkdirSync(source);
  mkdirSync(target);
  return { source, target, under: scratch.under, [Symbol.dispose]: () => scratch[Symbol.dispose]() };
}

/** The same bytes at each run, which zstd makes nothing of. */
export function noise(length: number, seed: string): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A tree with a file of several objects and some small ones. */
export function makeTree(root: string, { bigBytes = 9 * MEBI } = {}): void {
  mkdirSync(`${root}/etc`, { recursive: true });
  mkdirSync(`${root}/usr/lib`, { recursive: true });
  writeFileSync(`${root}/big`, noise(bigBytes, "big"));
  for (let index = 0; index < 40; index += 1)
    writeFileSync(`${root}/usr/lib/${index}`, noise(3000 + index, `${index}`));
  writeFileSync(`${root}/etc/a`, noise(4000, "a"));
  linkSync(`${root}/etc/a`, `${root}/etc/second`);
  symlinkSync("a", `${root}/etc/link`);
  chmodSync(`${root}/etc`, 0o2755);
}

export function optionsFor(image: TestImage, root: string, changes: Partial<UnpackImage> = {}): UnpackImage {
  const { files, contents } = image;
  return {
    ...{ files, root, olds: [], what: "the image debian:12", signal: AbortSignal.timeout(60_000) },
    ...{ spans: memorySpans(contents).spans, log: () => undefined, progress: () => undefined },
    ...changes,
  };
}

export const differences = (one: string, other: string) =>
  compareTrees(recordsOfTree(one), recordsOfTree(other)).map(showDifference);
