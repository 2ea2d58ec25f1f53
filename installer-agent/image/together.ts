/** Does things at the same time. When one fails the others' signal is aborted, and only when all have ended it throws what that one did. */
export async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const all = works.map((work) => work(either));
  try {
    await Promise.all(all);
  } catch (error) {
    over.abort();
    await Promise.allSettled(all);
    throw error;
  }
}
