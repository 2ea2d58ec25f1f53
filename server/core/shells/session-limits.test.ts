import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SessionLimits } from "./session-limits.ts";

const MINUTE = 60_000;
const START = 1_000_000;

beforeEach(() => vi.useFakeTimers({ now: START }));
afterEach(() => vi.useRealTimers());

function begin(limits: { endsAt?: number | null; idleLimit?: number }, isTerminal = true) {
  const said: string[] = [];
  const at = () => `${(Date.now() - START) / MINUTE} min`;
  const session = {
    row: { startedAt: START, endsAt: null, idleLimit: 0, ...limits },
    isTerminal,
    typedAt: START,
    notify: (text: string) => void said.push(`${at()}: ${text}`),
    end: async ({ reason }: { reason: string }) => void said.push(`${at()}: END ${reason}`),
  };
  const timers = new SessionLimits(session, Date.now);
  timers.start();
  return { said, session, timers };
}

test("a time limit: a notice a minute before, then the end, whoever types", () => {
  const { said, session } = begin({ endsAt: START + 480 * MINUTE });
  for (let minute = 1; minute < 480; minute += 1) {
    vi.advanceTimersByTime(MINUTE);
    session.typedAt = Date.now();
  }
  vi.advanceTimersByTime(10 * MINUTE);
  expect(said).toEqual([
    "479 min: the session's time limit of 8h ends it in 1m",
    "480 min: END the session's time limit of 8h is over",
  ]);
});

test("an idle limit: typing puts it off, and each silence has a notice of its own", () => {
  const { said, session } = begin({ idleLimit: 30 * MINUTE });
  vi.advanceTimersByTime(29.5 * MINUTE);
  session.typedAt = Date.now();
  vi.advanceTimersByTime(60 * MINUTE);
  expect(said).toEqual([
    "29 min: nobody types: the session ends in 1m unless somebody does",
    "58.5 min: nobody types: the session ends in 1m unless somebody does",
    "59.5 min: END nobody typed for 30m, the session's idle limit",
  ]);
});

test("a limit below two minutes is told of at its half", () => {
  const { said } = begin({ idleLimit: MINUTE });
  vi.advanceTimersByTime(2 * MINUTE);
  expect(said.map((line) => line.split(":")[0])).toEqual(["0.5 min", "1 min"]);
});

test("a command has no idle limit: what it does need not be typed at", () => {
  const { said } = begin({ idleLimit: MINUTE }, false);
  vi.advanceTimersByTime(1000 * MINUTE);
  expect(said).toEqual([]);
});

test("without a limit and after the end nothing ticks", () => {
  // What another file of this process left behind may have armed some.
  const others = vi.getTimerCount();
  begin({});
  expect(vi.getTimerCount()).toBe(others);
  const { said, timers } = begin({ endsAt: START + MINUTE });
  expect(vi.getTimerCount()).toBe(others + 1);
  timers.stop();
  expect(vi.getTimerCount()).toBe(others);
  vi.advanceTimersByTime(2 * MINUTE);
  expect(said).toEqual([]);
});
