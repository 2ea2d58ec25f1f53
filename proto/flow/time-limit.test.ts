import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { callAt } from "./time-limit.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const DAY = 86_400_000;

test("a time 90 days off is not now", () => {
  const callback = vi.fn();
  callAt(new Date(Date.now() + 90 * DAY), callback);
  vi.advanceTimersByTime(89 * DAY);
  expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(DAY);
  expect(callback).toHaveBeenCalledTimes(1);
});

test("a time that has passed is now, and a cancelled one never", () => {
  const callback = vi.fn();
  callAt(new Date(Date.now() - DAY), callback);
  callAt(new Date(Date.now() + 60 * DAY), callback)();
  vi.advanceTimersByTime(61 * DAY);
  expect(callback).toHaveBeenCalledTimes(1);
});
