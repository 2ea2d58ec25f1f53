import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A length of time in whole milliseconds, at most a hundred years. Node's timers hold only 24.8 days of it. */
export type Duration = Brand<number, "Duration">;

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

const SPELLING = /^(?=\d)(?:(\d{1,13})d)?(?:(\d{1,13})h)?(?:(\d{1,13})m(?!s))?(?:(\d{1,13})s)?(?:(\d{1,13})ms)?$/;
const LONGEST = 36_500 * 86_400_000;

/** Reads whole numbers with units from large to small: `90s`, `1h30m`, `30d`, `250ms`. A number without a unit is refused. */
export function parseDuration(text: string): Duration {
  const found = SPELLING.exec(text);
  if (found === null) {
    throw new HpsError("invalid", `not a duration: ${quote(text)}`, { hint: "write it as 90s, 10m, 1h30m or 30d" });
  }
  const total = UNITS.reduce((sum, [, factor], index) => sum + Number(found[index + 1] ?? 0) * factor, 0);
  if (total > LONGEST) throw new HpsError("invalid", `${text} is more than a hundred years`);
  return branded<"Duration", number>(total);
}

/** The canonical spelling of whole milliseconds, which `parseDuration` reads back: `1h30m`, `0s`. */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds;
  let text = "";
  for (const [unit, factor] of UNITS) {
    const count = Math.floor(rest / factor);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * factor;
  }
  return text === "" ? "0s" : text;
}
