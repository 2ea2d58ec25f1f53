import { z } from "zod";
import type { Claim } from "../../proto/config/claim.ts";
import { readSmallFile, writePrivateFile } from "../../proto/config/private-file.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { parseShape } from "../../proto/values/parsed.ts";
import { formatTime } from "../../proto/values/time.ts";
import { describeError } from "../log.ts";

/** A certificate is backdated by as much. */
const TOLERANCE = 60_000;

/** How far the machine's clock was from hpsd's, in milliseconds (negative: behind), and what was done about it. */
export interface ClockReport {
  readonly offset: number;
  readonly action: "none" | "set" | "left" | "failed";
  /** Why it was left or could not be set. */
  readonly why: string;
}

export interface ClockOptions {
  readonly claim: Pick<Claim, "serverTime">;
  /** The claim was made so many milliseconds ago at least: a slow machine boots for minutes, and its clock may be right. */
  readonly age: number;
  /** UTC milliseconds; no hpsd made a claim before this. */
  readonly built: number;
  readonly now: () => number;
  /** Sets the machine's clock; absent where it is not the agent's to set. */
  readonly set?: (time: number) => Promise<void>;
}

/** Compares the clock with the claim's server time, and sets it when it is off by more than a minute, either way. Certificates need it. */
export async function checkClock({ claim, age, built, now, set }: ClockOptions): Promise<ClockReport> {
  const serverTime = claim.serverTime + age;
  const offset = now() - serverTime;
  const left = (why: string): ClockReport => ({ offset, action: "left", why });
  if (Math.abs(offset) <= TOLERANCE) return { offset, action: "none", why: "" };
  if (claim.serverTime < built) return left(`hpsd's clock is before this agent was built (${formatTime(built)})`);
  if (set === undefined) return left("it is not this agent's to set (--set-clock)");
  try {
    await set(serverTime);
    return { offset, action: "set", why: "" };
  } catch (error) {
    return { offset, action: "failed", why: describeError(error) };
  }
}

/** The report in a sentence. */
export function clockSentence({ offset, action, why }: ClockReport): string {
  const distance = formatDuration(Math.abs(offset));
  const found = `the clock was ${distance} ${offset < 0 ? "behind" : "ahead of"} the claim's time`;
  if (action === "none") return `the clock agrees with the claim's time within ${formatDuration(TOLERANCE)}`;
  if (action === "set") return `${found} and has been set`;
  return action === "left" ? `${found} and was left so: ${why}` : `${found} and could not be set: ${why}`;
}

const reportSchema = z.object({
  claim: z.string(),
  offset: z.number(),
  action: z.enum(["none", "set", "left", "failed"]),
  why: z.string(),
});

/** `check`, but once per claim: an agent that starts again would take the claim's time, by then old, for the present. */
export async function checkClockOnce(
  file: string,
  claimDigest: string,
  check: () => Promise<ClockReport>,
): Promise<ClockReport> {
  const text = await readSmallFile(file);
  if (text !== undefined) {
    const { claim, ...report } = parseShape(reportSchema, JSON.parse(text), "the clock report");
    if (claim === claimDigest) return report;
  }
  const report = await check();
  await writePrivateFile(file, `${JSON.stringify({ claim: claimDigest, ...report })}\n`);
  return report;
}
