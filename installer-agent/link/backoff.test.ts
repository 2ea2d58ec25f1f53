import fc from "fast-check";
import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

test("every wait lies between a tenth of min and max, and the ceiling doubles", () => {
  const limits = { min: 500, max: 30_000 };
  const almostOne = new Backoff(limits, () => 0.999_999);
  expect(Array.from({ length: 9 }, () => Math.round(almostOne.next()))).toEqual([
    500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
  almostOne.reset();
  expect(Math.round(almostOne.next())).toBe(500);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }), (draws) => {
      const backoff = new Backoff(limits, () => draws.shift() ?? 0);
      for (const wait of Array.from({ length: 20 }, () => backoff.next())) {
        expect(wait).toBeGreaterThanOrEqual(50);
        expect(wait).toBeLessThanOrEqual(30_000);
      }
    }),
  );
});

test("what will not mend soon waits long at once", () => {
  const backoff = new Backoff({ min: 500, max: 30_000 }, () => 0.5);
  expect(backoff.longest()).toBe(22_500);
  expect(backoff.next()).toBe(15_000);
});
