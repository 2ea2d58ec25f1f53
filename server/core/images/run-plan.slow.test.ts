import { expect, test } from "vitest";
import { changed, fresh, Library, lengthOf, numbers } from "./testing-runs.ts";

test.each([0.02, 0.05, 0.1, 0.25])(
  "the twelfth of twelve images of which each has %s changed is read nearly as the first, and not everything is stored again",
  (share) => {
    for (let seed = 0; seed < 2; seed += 1) {
      const random = numbers(seed + 100);
      const library = new Library();
      let image = Array.from({ length: 8000 }, () => fresh(random));
      const first = library.add(image);
      const before = new Set<string>();
      let changedBytes = 0;
      for (let round = 1; round < 12; round += 1) {
        for (const name of image) before.add(name);
        image = changed(image, share, random);
        changedBytes += image.filter((name) => !before.has(name)).reduce((sum, name) => sum + lengthOf(name), 0);
        const { cost, long } = library.add(image);
        expect(cost).toBeLessThanOrEqual(1.126);
        expect(long).toBeGreaterThanOrEqual(0.9);
      }
      const last = library.add(image);
      expect(last.cost / first.cost).toBeLessThanOrEqual(1.126);
      // Each byte that is stored again is paid for by bytes beside it that nobody needs any more.
      expect(library.storedAgain).toBeLessThanOrEqual(changedBytes);
    }
  },
);
