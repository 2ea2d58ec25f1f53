import { setTimeout as sleep } from "node:timers/promises";
import { describeError, type Log } from "../log.ts";
import { type Health, type HealthFacts, healthOf } from "../plan/health.ts";

export interface HealthWatchOptions {
  readonly read: (signal: AbortSignal) => Promise<HealthFacts>;
  readonly onChange: (health: Health) => void;
  readonly log: Log;
  /** How often a system that is being started, and one that has been, is looked at. */
  readonly startingMs?: number;
  readonly settledMs?: number;
}

const STARTING_MS = 2_000;
const SETTLED_MS = 60_000;

/** One look; a system that cannot be looked at is not healthy. */
export async function lookAtHealth(read: HealthWatchOptions["read"], signal: AbortSignal): Promise<Health> {
  try {
    return healthOf(await read(signal));
  } catch (error) {
    signal.throwIfAborted();
    const reason = `its health cannot be told: ${describeError(error)}`;
    return { healthy: false, reason, starting: false };
  }
}

/** Looks until the signal, and tells when the health is another than `first`, and then each time it changes. */
export async function watchHealth(first: Health, options: HealthWatchOptions, signal: AbortSignal): Promise<void> {
  const { read, onChange, log, startingMs = STARTING_MS, settledMs = SETTLED_MS } = options;
  let last = first;
  while (!signal.aborted) {
    await sleep(last.starting ? startingMs : settledMs, undefined, { signal }).catch(() => undefined);
    const now = await lookAtHealth(read, signal).catch(() => undefined);
    if (now === undefined || signal.aborted) return;
    const changed = now.healthy !== last.healthy || now.reason !== last.reason;
    last = now;
    if (!changed) continue;
    log[now.healthy ? "info" : "warn"](`this system is ${now.healthy ? "healthy" : "not healthy"}`, {
      ...(now.reason !== "" && { reason: now.reason }),
    });
    onChange(now);
  }
}
