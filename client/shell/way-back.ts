import { setTimeout as pause } from "node:timers/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Connection } from "./connection.ts";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3000;

/** Errors that time may mend: the way to hpsd, hpsd itself while it starts, an agent that is not back yet. */
const MAY_PASS: ReadonlySet<string> = new Set(["unavailable", "deadline", "cancelled"]);

export function mayPass(error: unknown): error is HpsError {
  return error instanceof HpsError && MAY_PASS.has(error.code);
}

/** Tries `attach` until it works, `limitMs` are over (then the last error) or `signal` is aborted. Any other error is thrown at once. */
export async function wayBack(
  attach: () => Promise<Connection>,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<Connection> {
  const until = performance.now() + limitMs;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attach();
    } catch (error) {
      if (!mayPass(error) || signal.aborted || performance.now() + wait > until) throw error;
    }
    await pause(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {
      throw new HpsError("cancelled", "you left");
    });
  }
}
