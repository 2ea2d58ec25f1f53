import { expect, test, vi } from "vitest";
import { Interrupts } from "./interrupts.ts";

test("the first interrupt is whose who asked for it, the next ends the command, one more ends it at once", () => {
  const endNow = vi.fn();
  const interrupts = new Interrupts(endNow);
  const taker = vi.fn();
  interrupts.take(taker);
  interrupts.arrived("SIGTERM");
  expect([taker.mock.calls, interrupts.signal.aborted]).toEqual([[["SIGTERM"]], false]);
  interrupts.arrived("SIGINT");
  expect([interrupts.signal.aborted, endNow.mock.calls.length]).toEqual([true, 0]);
  interrupts.arrived("SIGINT");
  expect([taker.mock.calls.length, endNow.mock.calls.length]).toEqual([1, 1]);
});

test("nobody is asked any more, or the terminal is gone: the command ends", () => {
  const taker = vi.fn();
  const over = new Interrupts(() => undefined);
  over.take(taker)[Symbol.dispose]();
  over.arrived("SIGINT");
  const hungUp = new Interrupts(() => undefined);
  hungUp.take(taker);
  hungUp.arrived("SIGHUP");
  expect([over.signal.aborted, hungUp.signal.aborted, taker.mock.calls]).toEqual([true, true, []]);
});
