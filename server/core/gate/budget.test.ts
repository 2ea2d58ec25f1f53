import { expect, test } from "vitest";
import { Budget } from "./budget.ts";

test("each key has its own budget, which comes back with time", () => {
  const budget = new Budget({ most: 2, everyMs: 10, keys: 10 });
  expect([0, 1, 2].map((now) => budget.spend("a", now))).toEqual([true, true, false]);
  expect(budget.spend("b", 3)).toBe(true);
  expect(budget.spend("a", 9)).toBe(false);
  expect(budget.spend("a", 10)).toBe(true);
});

test("the keys remembered are bounded, the first counted goes first", () => {
  const budget = new Budget({ most: 1, everyMs: 1000, keys: 2 });
  for (const key of ["a", "b", "c"]) expect(budget.spend(key, 0)).toBe(true);
  expect(budget.spend("c", 1)).toBe(false);
  expect(budget.spend("a", 1)).toBe(true);
});
