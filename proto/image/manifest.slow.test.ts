import { expect, test } from "vitest";
import { encodeManifest, parseManifest } from "./manifest.ts";
import { manifestOfDrafts } from "./manifest-of-drafts.ts";
import { expectRefusedOrSame, turned } from "./testing/damaged-manifests.ts";
import { draft, draftFile, richDrafts } from "./testing/drafts.ts";

test("a manifest of many files is read in little time", () => {
  const drafts = [draft("directory", ""), draft("directory", "usr"), draft("directory", "usr/share")];
  for (let folder = 0; folder < 30; folder++) {
    drafts.push(draft("directory", `usr/share/folder-${folder}`));
    for (let file = 0; file < 1000; file++) {
      drafts.push(draftFile(`usr/share/folder-${folder}/some-file-${file}.txt`, `${folder} ${file}`, 3000));
    }
  }
  const bytes = encodeManifest(manifestOfDrafts(drafts));
  const start = performance.now();
  expect(parseManifest(bytes).entries).toHaveLength(30_033);
  // It takes a fiftieth of that; a quadratic reader takes minutes.
  expect(performance.now() - start).toBeLessThan(3000);
});

test("of any bit that is turned there is a refusal, or the one form of what it says", () => {
  const bytes = encodeManifest(manifestOfDrafts(richDrafts()));
  for (let bit = 0; bit < bytes.length * 8; bit++) expectRefusedOrSame(turned(bytes, bit));
});
