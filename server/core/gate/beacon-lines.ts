import type { Beacon } from "../../../proto/config/beacon.ts";

/** What one beacon says, and from where. */
export type BeaconWords = Pick<Beacon, "step" | "reason" | "log"> & { readonly address: string };

/**
 * The log lines that a beacon adds to those of the one before it: a sentence when step or reason are new, then what its log has
 * that the last one's had not. Each log is the end of the installer's own, so most of it repeats.
 */
export function linesOf(words: BeaconWords, before: BeaconWords | undefined): readonly string[] {
  const { step, reason, address, log } = words;
  const same = before?.step === step && before.reason === reason && before.address === address;
  const why = reason === "" ? "" : `: ${reason}`;
  const sentence = `not attached, unauthenticated word from ${address}: step ${step === "" ? "unknown" : step}${why}`;
  return [...(same ? [] : [sentence.replaceAll("\n", " ")]), ...newLines(before?.log ?? "", log)];
}

/** The lines of `now` after the longest end of `before` that it begins with; its first line may have been cut. */
function newLines(before: string, now: string): readonly string[] {
  const [old, lines] = [linesIn(before), linesIn(now)];
  const repeats = (skip: number, count: number) =>
    old.slice(old.length - count).every((line, at) => line === lines[skip + at]);
  for (let count = Math.min(old.length, lines.length); count > 0; count -= 1) {
    if (repeats(0, count)) return lines.slice(count);
    if (count < lines.length && repeats(1, count)) return lines.slice(count + 1);
  }
  return lines;
}

function linesIn(log: string): readonly string[] {
  return log.split("\n").filter((line) => line !== "");
}
