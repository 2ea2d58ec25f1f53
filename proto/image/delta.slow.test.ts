import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { Anchors } from "./anchors.ts";
import { LARGEST_PIECE, LARGEST_WINDOW } from "./limits.ts";
import { contentsOf, fileOf, makeAll, noise } from "./testing/delta-files.ts";
import { smallImage } from "./testing/small-image.ts";

const MIB = 1 << 20;
const old = noise(3 * MIB, "old");
const inserted = Buffer.concat([old.subarray(0, 100), noise(MIB + MIB / 2, "new"), old.subarray(100)]);

test("a delta makes large new files of old ones in a few bytes, also where something was put in before", async () => {
  const changed = Buffer.from(old);
  for (const at of [0, 1_000_000, 2_000_000]) changed[at] = (changed[at] ?? 0) ^ 1;
  const base = smallImage({ changed: old, inserted: old });
  const target = smallImage({ changed, inserted });
  const made = await makeAll(base, target);
  const delta = fileOf(made);
  // One and a half are new.
  expect(delta.length).toBeLessThan(1.6 * MIB);
  const made2 = contentsOf(delta, base);
  expect(made2.map((content) => hash("sha256", content, "hex"))).toEqual(
    made.map(({ object }) => object.digest.toString("hex")),
  );
  for (const { pieces } of made.map(({ object }) => object)) {
    for (const { length, window } of pieces) {
      expect(length).toBeLessThanOrEqual(LARGEST_PIECE);
      expect(window?.length ?? 0).toBeLessThanOrEqual(LARGEST_WINDOW);
    }
  }
});

test("anchors find content that moved in a file of any size, whatever its pieces are cut to", () => {
  const file = noise(20 * MIB, "file");
  const anchors = new Anchors(file.length);
  for (let at = 0; at < file.length; at += 300_001) anchors.add(file.subarray(at, at + 300_001));
  for (const at of [0, 7_654_321, 19 * MIB]) {
    const start = anchors.bestWindow(file.subarray(at, at + MIB)) ?? Number.NaN;
    expect(start).toBeLessThanOrEqual(at);
    expect(start + LARGEST_WINDOW).toBeGreaterThanOrEqual(at + MIB);
  }
  expect(anchors.bestWindow(noise(MIB, "elsewhere"))).toBeUndefined();
});
