import { z } from "zod";
import { formatDuration, parseDuration } from "../values/duration.ts";
import { HpsError } from "../values/hps-error.ts";
import { textOf } from "../values/parsed.ts";
import { quote } from "../values/safe-text.ts";
import { formatSize, parseSize } from "../values/size.ts";

/*
 * The leaves of every configuration. Files, environment and flags all give text, and text is what these read:
 * nothing is re-typed on the way.
 */

/** `true` or `false`, and no other word for them. */
export const yesOrNo = textOf((text) => {
  if (text !== "true" && text !== "false") throw new HpsError("invalid", `neither true nor false: ${quote(text)}`);
  return text === "true";
});

/** A decimal whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number) {
  return textOf((text) => parseWhole(text, { min, max, others: "" }));
}

/** A decimal whole number from 1 to `max`, or `none`, which is 0. */
export function countOrNone(max: number) {
  return textOf((text) => (text === "none" ? 0 : parseWhole(text, { min: 1, max, others: ", nor none" })));
}

function parseWhole(text: string, { min, max, others }: { min: number; max: number; others: string }): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || Number(text) < min || Number(text) > max) {
    throw new HpsError("invalid", `not a whole number from ${min} to ${max}${others}: ${quote(text)}`);
  }
  return Number(text);
}

/** A duration from `min` to `max`, both as people write them. */
export function durationBetween(min: string, max: string) {
  return between({ parse: parseDuration, format: formatDuration, min, max });
}

/** A size from `min` to `max`, both as people write them. */
export function sizeBetween(min: string, max: string) {
  return between({ parse: parseSize, format: formatSize, min, max });
}

interface Bounds<Quantity> {
  readonly parse: (text: string) => Quantity;
  readonly format: (value: number) => string;
  readonly min: string;
  readonly max: string;
}

function between<Quantity extends number>({ parse, format, min, max }: Bounds<Quantity>) {
  const least = parse(min);
  const most = parse(max);
  return textOf((text) => {
    const value = parse(text);
    if (value < least || value > most) throw new HpsError("invalid", `${format(value)} is not from ${min} to ${max}`);
    return value;
  });
}

/** A list; where a value is one text (environment, flags) its items have commas between. */
export function listOf<Item extends z.ZodType>(item: Item, max = 64) {
  return z.array(item).max(max);
}
