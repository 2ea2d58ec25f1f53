import { barText, type Progress, progressText, type Rate } from "./rate.ts";

const LONGEST_BAR = 20;
const SHORTEST_BAR = 5;
const GAP = 2;
/** Widths that the parts take at their widest, so that a line does not change its shape while the numbers run. */
const PERCENT = "[] 100 %".length;
const SPEED = "1023.9 MiB/s".length;
const LEFT = "59 min 59 s left".length;

/**
 * What goes on, with bar, amount, rate and time left, in at most `room` columns: in less room the bar gets shorter, then the amount goes,
 * then the rate. The time left is what people look for, and stays.
 */
export function runningText(progress: Progress, rate: Rate | undefined, room: number): string {
  const [amount, speed, left] = [progressText(progress), rate?.text(progress.unit) ?? "", rate?.left(progress) ?? ""];
  if (progress.total <= 0n) return joined([amount, speed]);
  const most = progressText({ ...progress, done: progress.total }).length;
  const ways = [
    { width: PERCENT + GAP + most + GAP + SPEED + GAP + LEFT, parts: [amount, speed, left] },
    { width: PERCENT + GAP + SPEED + GAP + LEFT, parts: [speed, left] },
    { width: PERCENT + GAP + LEFT, parts: [left] },
  ];
  const way = ways.find(({ width }) => width + SHORTEST_BAR <= room);
  if (way === undefined) return joined([barText(progress, 0), left]);
  return joined([barText(progress, Math.min(LONGEST_BAR, room - way.width)), ...way.parts]);
}

/** Side by side, without those that are empty. */
export function joined(parts: readonly string[]): string {
  return parts
    .filter((part) => part !== "")
    .join(" ".repeat(GAP))
    .trimEnd();
}
