import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeManifest, parseManifest } from "./manifest.ts";
import type { ManifestEntry } from "./manifest-entry.ts";
import { manifestOfDrafts } from "./manifest-of-drafts.ts";
import { ManifestView } from "./manifest-view.ts";
import { anyDrafts, draft, draftFile, richDrafts } from "./testing/drafts.ts";
import { errorOf } from "./testing/error-of.ts";

/** More than are between two places that are kept. */
const many = manifestOfDrafts([
  ...richDrafts(),
  draft("directory", "many"),
  ...Array.from({ length: 100 }, (_, number) =>
    draftFile(`many/${number % 9}${number}`, number % 50, 1 + (number % 50)),
  ),
]);

test("a view gives what parsing gives, in any order, and tells all entries as it is read", () => {
  const places = fc.array(fc.nat(), { maxLength: 40 });
  const drafts = fc.oneof(anyDrafts.map(manifestOfDrafts), fc.constant(many));
  const property = fc.property(drafts, places, (manifest, numbers) => {
    const told: ManifestEntry[] = [];
    const bytes = encodeManifest(manifest);
    const { entries, objects } = parseManifest(bytes);
    const view = ManifestView.read(bytes, (entry) => void told.push(entry));
    expect(told).toEqual(entries);
    expect([...view.objects()]).toEqual(objects);
    for (const number of numbers) {
      const at = number % view.entryCount;
      expect(view.entry(at)).toEqual(entries[at]);
    }
    expect([...view.entries()]).toEqual(entries);
    expect(() => view.entry(view.entryCount)).toThrow(RangeError);
    expect(() => view.digest(view.objectCount)).toThrow(RangeError);
  });
  fc.assert(property);
});

test("a view of altered bytes is refused as parsing them is", () => {
  const bytes = encodeManifest(many);
  const turns = fc.record({ at: fc.nat(bytes.length - 1), by: fc.integer({ min: 1, max: 255 }) });
  const property = fc.property(turns, ({ at, by }) => {
    const turned = Buffer.from(bytes);
    turned[at] = (turned[at] ?? 0) ^ by;
    const parsed = errorOf(() => parseManifest(turned), "or none");
    const viewed = errorOf(() => ManifestView.read(turned, () => undefined), "or none");
    expect([viewed?.code, viewed?.message]).toEqual([parsed?.code, parsed?.message]);
  });
  fc.assert(property, { numRuns: 500 });
});
