import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** A count of one or more, as an option gives it. */
export function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new HpsError("invalid", `not a count: ${quote(text)}`, { hint: "use a whole number from 1" });
}
