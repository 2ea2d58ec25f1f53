import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseTime } from "../../proto/values/time.ts";
import { checkClock, checkClockOnce, clockSentence } from "./clock-check.ts";

const serverTime = parseTime("2026-11-20T09:30:00Z");
const built = parseTime("2026-11-01T00:00:00Z");
const HOUR = 3_600_000;

/** What a machine whose clock is off by `offset` does; `setTo` when it may set it. */
async function check(
  offset: number,
  options: { readonly may?: boolean; readonly serverTime?: typeof serverTime; readonly age?: number } = {},
) {
  const setTo: number[] = [];
  const set = async (time: number) => void setTo.push(time);
  const claim = { serverTime: options.serverTime ?? serverTime };
  const now = () => claim.serverTime + offset;
  const report = await checkClock({
    claim,
    age: options.age ?? 0,
    built,
    now,
    ...(options.may === false ? {} : { set }),
  });
  return { report, setTo };
}

test("a clock off by more than a minute is set, either way", async () => {
  for (const offset of [-HOUR, -60_001, 60_001, 30 * HOUR]) {
    const { report, setTo } = await check(offset);
    expect(report).toEqual({ offset, action: "set", why: "" });
    expect(setTo).toEqual([serverTime]);
  }
  for (const offset of [-60_000, 0, 60_000]) {
    const { report, setTo } = await check(offset);
    expect(report.action).toBe("none");
    expect(setTo).toEqual([]);
  }
});

test("what the machine took to boot is no fault of its clock", async () => {
  const slow = 5 * 60_000;
  expect((await check(slow, { age: slow })).report).toEqual({ offset: 0, action: "none", why: "" });
  const wrong = await check(slow + HOUR, { age: slow });
  expect(wrong.report).toMatchObject({ offset: HOUR, action: "set" });
  expect(wrong.setTo).toEqual([serverTime + slow]);
});

test("it is never set before the build, nor where it is not ours", async () => {
  const early = await check(HOUR, { serverTime: parseTime("2020-01-01T00:00:00Z") });
  expect(early.setTo).toEqual([]);
  expect(clockSentence(early.report)).toContain("was left so: hpsd's clock is before this agent was built");
  const foreign = await check(-HOUR, { may: false });
  expect(clockSentence(foreign.report)).toBe(
    "the clock was 1h behind the claim's time and was left so: it is not this agent's to set (--set-clock)",
  );
});

test("a failure to set is reported, not thrown", async () => {
  const set = () => Promise.reject(new HpsError("denied", "not allowed"));
  const report = await checkClock({ claim: { serverTime }, age: 0, built, now: () => 0, set });
  expect(report.action).toBe("failed");
  expect(clockSentence(report)).toContain("could not be set: not allowed");
});

test("one claim is looked at once, however often the agent starts", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hps-clock-"));
  try {
    const file = join(folder, "clock.json");
    let calls = 0;
    const look = async () => {
      calls += 1;
      return { offset: calls, action: "none", why: "" } as const;
    };
    expect((await checkClockOnce(file, "first", look)).offset).toBe(1);
    expect((await checkClockOnce(file, "first", look)).offset).toBe(1);
    expect((await checkClockOnce(file, "second", look)).offset).toBe(2);
  } finally {
    await rm(folder, { recursive: true });
  }
});
