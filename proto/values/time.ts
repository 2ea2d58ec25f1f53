import { type Brand, branded } from "./brand.ts";
import { parseDuration } from "./duration.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A moment as UTC milliseconds since 1970, in the years 0000 to 9999. */
export type Time = Brand<number, "Time">;

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):([0-5]\d))$/;
const FIRST = Date.parse("0000-01-01T00:00:00.000Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");

/** Reads an RFC 3339 time. What is finer than a millisecond is cut off; days and seconds that do not exist (leap seconds too) are refused. */
export function parseTime(text: string): Time {
  const [, date = "", clock = "", fraction = "", sign, hours = "0", minutes = "0"] = RFC3339.exec(text) ?? [];
  const plain = `${date}T${clock}.${fraction.slice(0, 3).padEnd(3, "0")}Z`;
  const local = Date.parse(plain);
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  const time = sign === "-" ? local + offset : local - offset;
  const exists = date !== "" && Number(hours) < 24 && inRange(local) && new Date(local).toISOString() === plain;
  if (!exists || !inRange(time)) {
    throw new HpsError("invalid", `not a time: ${quote(text)}`, { hint: "write it as 2026-11-20T09:30:00Z" });
  }
  return branded<"Time", number>(time);
}

/** Reads what people type for `--since`: an RFC 3339 time, or a duration before `now` (UTC milliseconds). */
export function parseTimeOrAgo(text: string, now: number): Time {
  if (RFC3339.test(text)) return parseTime(text);
  if (!/^[0-9]+[a-z]/.test(text)) {
    throw new HpsError("invalid", `neither a time nor a duration: ${quote(text)}`, {
      hint: "write it as 2026-11-20T09:30:00Z, or as 2h for two hours ago",
    });
  }
  return branded<"Time", number>(Math.max(FIRST, now - parseDuration(text)));
}

/** RFC 3339 in UTC with milliseconds; throws `out-of-range` outside the years 0000 to 9999. */
export function formatTime(milliseconds: number): string {
  if (!inRange(milliseconds)) throw new HpsError("out-of-range", `no year of four digits holds ${milliseconds} ms`);
  return new Date(milliseconds).toISOString();
}

function inRange(time: number): boolean {
  return time >= FIRST && time <= LAST;
}
