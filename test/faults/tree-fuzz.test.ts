/** The properties of proto/tree/unpack/hostile.test.ts, for longer. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  anyRecords,
  honestArchives,
  meetingEntries,
  mutated,
  mutation,
  unpackHarmlessly,
  unpackTruly,
} from "../../proto/tree/testing/archive-properties.ts";
import { rawTar } from "../../proto/tree/testing/raw-tar.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";

test("400 damaged archives touch nothing outside, and each ends with success or a reason", async () => {
  using scratch = makeScratch();
  const archives = await honestArchives(scratch.path);
  let refused = 0;
  const property = fc.asyncProperty(mutation, async (how) => {
    const error = await unpackHarmlessly(scratch.path, mutated(archives[how.which] ?? Buffer.alloc(0), how));
    if (error !== undefined) refused += 1;
  });
  await fc.assert(property, { numRuns: 400 });
  expect(refused).toBeGreaterThan(50);
});

test("1 500 archives whose entries replace, hold and link each other come out as they say, or not at all", async () => {
  using scratch = makeScratch();
  const property = fc.asyncProperty(meetingEntries, (entries) => unpackTruly(scratch.path, entries));
  await fc.assert(property, { numRuns: 1_500 });
});

test("1 500 extended headers of anything", async () => {
  using scratch = makeScratch();
  const property = fc.asyncProperty(anyRecords, fc.constantFrom("0", "1", "2", "5"), async (pax, type) => {
    const entry = { name: "b", type, link: "a", pax, content: type === "0" ? "abc" : "" };
    await unpackHarmlessly(scratch.path, rawTar([{ name: "a", content: "xyz" }, entry]));
  });
  await fc.assert(property, { numRuns: 1_500 });
});
