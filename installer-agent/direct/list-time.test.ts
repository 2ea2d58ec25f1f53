import fc from "fast-check";
import { expect, test } from "vitest";
import { arrivalProblem, listLeft } from "./list-time.ts";

const HOUR = 3_600_000;
const LIFE = 12 * HOUR;
const ISSUED = 1_000_000_000_000;
const LIST = { issuedAt: ISSUED, expiresAt: ISSUED + LIFE };
const ARRIVAL = { wall: ISSUED + 1000, uptime: 5000, boot: "a", latest: ISSUED + 1000 };
const after = (ms: number, more = {}) => ({ wall: ARRIVAL.wall + ms, uptime: ARRIVAL.uptime + ms, boot: "a", ...more });

test("a list is good for its life from when it came, and no longer", () => {
  expect(listLeft(LIST, ARRIVAL, after(HOUR))).toBe(LIFE - HOUR - 1000);
  expect(listLeft(LIST, ARRIVAL, after(LIFE))).toMatch(/ended at/);
});

test("a clock that went back does not make it good for longer", () => {
  // Within the same start of the kernel its own time counts.
  expect(listLeft(LIST, ARRIVAL, after(LIFE + 1, { wall: ARRIVAL.wall }))).toMatch(/ended at/);
  expect(listLeft(LIST, ARRIVAL, after(HOUR, { wall: ARRIVAL.wall - 30_000 }))).toBe(LIFE - HOUR);
  expect(listLeft(LIST, ARRIVAL, after(HOUR, { wall: ARRIVAL.wall - 61_000 }))).toMatch(/the clock went back/);
  // After a restart, against the latest that was noted.
  const noted = { ...ARRIVAL, latest: ARRIVAL.wall + 3 * HOUR };
  expect(listLeft(LIST, noted, { wall: ARRIVAL.wall + 2 * HOUR, uptime: 10, boot: "b" })).toMatch(
    /the clock went back/,
  );
  expect(listLeft(LIST, noted, { wall: ARRIVAL.wall + 4 * HOUR, uptime: 10, boot: "b" })).toBe(LIFE - 4 * HOUR - 1000);
});

test("a clock that went forward ends it early and never late", () => {
  expect(listLeft(LIST, ARRIVAL, after(HOUR, { wall: ARRIVAL.wall + LIFE }))).toMatch(/ended at/);
});

test("whatever the clock shows, within one start of the kernel it is never good beyond its life", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 * LIFE }), fc.integer({ min: -LIFE, max: LIFE }), (passed, skew) => {
      const left = listLeft(LIST, ARRIVAL, after(passed, { wall: ARRIVAL.wall + passed + skew }));
      if (typeof left === "number") expect(passed + left).toBeLessThanOrEqual(LIFE);
    }),
  );
});

test("a list is taken only where the clocks agree", () => {
  expect(arrivalProblem(LIST, { wall: ISSUED + 9 * 60_000, uptime: 0, boot: "a" })).toBeUndefined();
  expect(arrivalProblem(LIST, { wall: ISSUED - 11 * 60_000, uptime: 0, boot: "a" })).toMatch(/differ by 660 s/);
});
