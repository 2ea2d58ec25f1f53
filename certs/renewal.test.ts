import fc from "fast-check";
import { expect, test } from "vitest";
import { renewalTime, renewalWait } from "./renewal.ts";

const DAY = 24 * 60 * 60 * 1000;

test("90 days are renewed at day 60, at most four and a half earlier", () => {
  const life = { notBefore: 0, notAfter: 90 * DAY };
  expect(renewalTime(life, 0)).toBe(60 * DAY);
  expect(renewalTime(life, 0.999999)).toBeGreaterThan(55.4 * DAY);
  expect(renewalWait(life, 59.5 * DAY, 0)).toBe(0.5 * DAY);
  expect(renewalWait(life, 61 * DAY, 0)).toBe(0);
  expect(renewalWait(life, 200 * DAY, 0)).toBe(0);
});

test("it falls within the life, and the wait fits a timer", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 60_000, max: 2 ** 40 }),
      fc.nat(),
      random,
      (notBefore, length, now, draw) => {
        const life = { notBefore, notAfter: notBefore + length };
        const at = renewalTime(life, draw);
        expect(at).toBeGreaterThanOrEqual(notBefore + length * 0.6);
        expect(at).toBeLessThanOrEqual(notBefore + (length * 2) / 3);
        const wait = renewalWait(life, now, draw);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(DAY);
      },
    ),
  );
});
