/** The candidate a slip or two of the fingers away from `text`, if there is one. */
export function didYouMean(text: string, candidates: readonly string[]): string | undefined {
  const typed = text.slice(0, 64).toLowerCase();
  const allowed = Math.max(1, Math.min(3, Math.floor(typed.length / 3)));
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: editDistance(typed, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((left, right) => left.distance - right.distance);
  return best?.candidate;
}

/** How many letters must be put in, taken out, changed or swapped with the next (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let at = 1; at <= left.length; at += 1) {
    const next = [at];
    for (let index = 1; index <= right.length; index += 1) {
      const same = left[at - 1] === right[index - 1];
      const swapped = left[at - 1] === right[index - 2] && left[at - 2] === right[index - 1];
      const ways = [entry(row, index - 1) + (same ? 0 : 1), entry(row, index) + 1, entry(next, index - 1) + 1];
      next.push(Math.min(...ways, swapped ? entry(before, index - 2) + 1 : Number.POSITIVE_INFINITY));
    }
    before = row;
    row = next;
  }
  return entry(row, right.length);
}

function entry(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
