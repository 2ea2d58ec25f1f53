import { expect, test } from "vitest";
import { parseManifest } from "../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { treeOf } from "../testing/image-of-tree.ts";
import { manyNames } from "../testing/many-names.ts";
import { ManifestBounds, memoryLeft } from "./manifest-bounds.ts";

const GIB = 1 << 30;

const tree = (entries: number, contentBytes = 0) => ({ entries, contentBytes });
const bounds = (entries: number, left: () => number = memoryLeft) => new ManifestBounds(tree(entries), "os:1", left);

test("a manifest is read as it is when it is what was announced, and refused when it is another's", () => {
  const raw = manyNames(9);
  const told: ManifestEntry[] = [];
  const view = bounds(10).read(raw, (entry) => void told.push(entry));
  expect({ entries: told, objects: [...view.objects()] }).toEqual(parseManifest(raw));
  expect(treeOf(parseManifest(raw))).toEqual(tree(10));
  expect(() => bounds(9).read(raw, () => undefined)).toThrow(
    "the manifest of os:1 has more than the 9 entries that hpsd announced",
  );
  expect(() => bounds(11).read(raw, () => undefined)).toThrow("has 10 entries, not the 11 that hpsd announced");
  expect(() => new ManifestBounds(tree(10, 5), "os:1").read(raw, () => undefined)).toThrow(
    "0 bytes of content, not the 5",
  );
  const objects = Buffer.concat([raw.subarray(0, 8), Buffer.from([0xff, 0xff, 0x7f]), raw.subarray(9)]);
  expect(() => bounds(10).read(objects, () => undefined)).toThrow(
    "has 2097151 objects, where there can be 10 that hpsd announced",
  );
});

test("what cannot fit is refused before it is fetched or unpacked, with what it takes and what there is", () => {
  expect(bounds(100_000, () => GIB).refusal(10 << 20)).toBeUndefined();
  expect(bounds(10_000_000, () => GIB / 4).refusal(30 << 20)).toMatchObject({
    code: "exhausted",
    message:
      "this machine cannot read the manifest of os:1: it has 10000000 entries, which take 258.9 MiB at least; " +
      "256 MiB of memory are free, and 64 MiB of them are for all else",
    hint: expect.stringContaining("more memory"),
  });
  expect(bounds(10, () => GIB).refusal(GIB)).toMatchObject({ code: "exhausted" });
});

test("reading stops where the machine has no more memory", () => {
  let left = GIB;
  const less = () => {
    left -= GIB / 2;
    return left;
  };
  expect(() => bounds(5_001, less).read(manyNames(5_000), () => undefined)).toThrow(
    /this machine cannot read the manifest of os:1/,
  );
  expect(memoryLeft()).toBeGreaterThan(0);
});
