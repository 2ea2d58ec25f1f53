import { setTimeout as pause } from "node:timers/promises";

const QUIET_MS = 100;

/** One tick for each burst of events of `source`, a moment after its first. Ends, or fails, as the source does. */
export async function* bursts(source: AsyncIterable<unknown>): AsyncGenerator<void, void> {
  const events = source[Symbol.asyncIterator]();
  let failure: unknown;
  let over = false;
  let pending = false;
  let wake: () => void = () => undefined;
  const drain = async () => {
    try {
      while (!over && !(await events.next()).done) {
        pending = true;
        wake();
      }
    } catch (error) {
      failure = error;
    }
    over = true;
    wake();
  };
  void drain();
  try {
    for (;;) {
      if (!pending && !over) await new Promise<void>((resolve) => (wake = resolve));
      if (pending) {
        await pause(QUIET_MS);
        pending = false;
        yield;
      } else if (over) {
        break;
      }
    }
  } finally {
    over = true;
    await events.return?.();
  }
  if (failure !== undefined) throw failure;
}
