import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  anyRecords,
  honestArchives,
  meetingEntries,
  mutated,
  mutation,
  unpackHarmlessly,
  unpackTruly,
} from "../testing/archive-properties.ts";
import { rawTar } from "../testing/raw-tar.ts";
import { makeScratch } from "../testing/scratch.ts";

const OWNER = process.getuid?.() === 0;

// A longer run of the same is test/faults/tree-fuzz.test.ts.
describe.runIf(OWNER)("whatever an archive holds, nothing outside is touched, and it ends", () => {
  test("damaged honest archives", async () => {
    using scratch = makeScratch();
    const archives = await honestArchives(scratch.path);
    const property = fc.asyncProperty(mutation, async (how) => {
      await unpackHarmlessly(scratch.path, mutated(archives[how.which] ?? Buffer.alloc(0), how));
    });
    await fc.assert(property, { numRuns: 40 });
  });

  test("honest archives cut anywhere are refused", async () => {
    using scratch = makeScratch();
    const archives = await honestArchives(scratch.path);
    const property = fc.asyncProperty(fc.nat(2), fc.double({ min: 0, max: 1, noNaN: true }), async (which, cut) => {
      const whole = archives[which] ?? Buffer.alloc(0);
      const archive = whole.subarray(
        0,
        whole.findLastIndex((byte) => byte !== 0),
      );
      const error = await unpackHarmlessly(scratch.path, archive.subarray(0, cut * archive.length));
      expect(error).toMatchObject({ code: "invalid", message: expect.stringContaining("before its end mark") });
    });
    await fc.assert(property, { numRuns: 20 });
  });

  test("entries that meet: what is unpacked is what the archive says", async () => {
    using scratch = makeScratch();
    const property = fc.asyncProperty(meetingEntries, (entries) => unpackTruly(scratch.path, entries));
    await fc.assert(property, { numRuns: 150 });
  });

  test("any records before an entry", async () => {
    using scratch = makeScratch();
    const property = fc.asyncProperty(anyRecords, fc.constantFrom("0", "1", "2", "5"), async (pax, type) => {
      await unpackHarmlessly(
        scratch.path,
        rawTar([
          { name: "a", content: "xyz" },
          { name: "b", type, link: "a", pax, content: type === "0" ? "abc" : "" },
        ]),
      );
    });
    await fc.assert(property, { numRuns: 150 });
  });
});
