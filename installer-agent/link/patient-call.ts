import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";

/** What passes by itself: a server that restarts must not fail an installation. */
const PASSING: readonly ErrorCode[] = ["unavailable", "deadline", "exhausted", "cancelled"];
const PATIENCE = 5 * 60_000;

/** Asks hpsd again for up to 5 minutes while it is away; what it refuses is thrown at once. */
export async function patiently<T>(call: () => Promise<T>, backoff: BackoffLimits, signal: AbortSignal): Promise<T> {
  const waits = new Backoff(backoff);
  const end = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const passing = error instanceof HpsError && PASSING.includes(error.code);
      if (!passing || signal.aborted || performance.now() > end) throw error;
      await sleep(waits.next(), undefined, { signal });
    }
  }
}
