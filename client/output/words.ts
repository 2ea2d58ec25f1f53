import type { DescEnum } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** An enum's number as people write it: `awaiting-approval`. Unset is empty, unknown its number. */
export function enumWord(schema: DescEnum, number: number): string {
  if (number === 0) return "";
  const value = schema.value[number];
  return value === undefined ? String(number) : wordOf(schema, value.name);
}

/** The number of the word in an enum's table; `what` names the thing in the error. */
export function enumNumber<Table extends Readonly<Record<string, number>>>(
  table: Table,
  word: string,
  what: string,
): Table[keyof Table] {
  const names = Object.keys(table).filter((name): name is keyof Table & string => table[name] !== 0);
  const found = names.find((name) => kebab(name) === word);
  if (found !== undefined) return table[found];
  throw new HpsError("invalid", `not ${what}: ${quote(word)}`, { hint: `one of ${names.map(kebab).join(", ")}` });
}

function wordOf(schema: DescEnum, name: string): string {
  return kebab(name.slice(schema.sharedPrefix?.length ?? 0));
}

function kebab(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** UTC to the second, `2026-11-20T09:30:00Z`; empty when unset, and when no clock shows it. */
export function timeText(time: Timestamp | undefined): string {
  if (time === undefined) return "";
  const date = new Date(timestampMs(time));
  return Number.isNaN(date.getTime()) ? "" : `${date.toISOString().slice(0, -5)}Z`;
}

/** `rack=r1,role=web`, in the order of the keys. */
export function mapText(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${map[key]}`)
    .join(",");
}
