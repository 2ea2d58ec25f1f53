/** Which names of a library go by themselves. Changes nothing. */
import type { NameRow } from "../../store/image-names.ts";

/** A name that goes by itself. */
export interface PassingName extends NameRow {
  /** Its time has come, or the library keeps but so many newer tags of it. */
  readonly reason: "expired" | "surplus";
  /** No other name stands for the image, which nobody uses: it goes too. */
  readonly last: boolean;
}

export interface PassingTerms {
  /** UTC milliseconds. */
  readonly now: number;
  /** So many tags of each name are kept; 0: all. */
  readonly keep: number;
  /** Whether an installation of the image is open or a host runs it: then its last name stays. */
  readonly isUsed: (image: NameRow) => Promise<boolean>;
}

/** Of all names of a library, the last to be made or moved first. Those whose time has come go first: what is left is counted. */
export async function planPassing(names: readonly NameRow[], terms: PassingTerms): Promise<readonly PassingName[]> {
  const { now, keep, isUsed } = terms;
  const counts = new Map<string, number>();
  for (const { digest } of names) counts.set(digest, (counts.get(digest) ?? 0) + 1);
  const passing = new Map<string, PassingName>();
  const pass = async (some: readonly NameRow[], reason: PassingName["reason"]) => {
    for (const name of some) {
      const count = counts.get(name.digest) ?? 1;
      if (count === 1 && (await isUsed(name))) continue;
      counts.set(name.digest, count - 1);
      passing.set(name.id, { ...name, reason, last: count === 1 });
    }
  };
  await pass(names.filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now).reverse(), "expired");
  if (keep > 0)
    await pass(
      surplusOf(
        names.filter(({ id }) => !passing.has(id)),
        keep,
      ),
      "surplus",
    );
  return [...passing.values()];
}

/** Those that come after the first `keep` of their title (`debian:`), the oldest first. */
function surplusOf(names: readonly NameRow[], keep: number): readonly NameRow[] {
  const counts = new Map<string, number>();
  const surplus = names.filter(({ name }) => {
    const title = name.slice(0, name.lastIndexOf(":"));
    const count = (counts.get(title) ?? 0) + 1;
    counts.set(title, count);
    return count > keep;
  });
  return surplus.reverse();
}
