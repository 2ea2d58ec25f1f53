import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../audit/audit.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Changes } from "../changes/changes.ts";

/** How much of the records is kept. */
export interface RetentionLimits {
  readonly auditMs: number;
  readonly auditEvents: number;
  readonly changes: number;
}

/** A year of audit, and enough changes for a watcher that was away for a while. */
export const DEFAULT_RETENTION: RetentionLimits = {
  auditMs: 365 * 24 * 3_600_000,
  auditEvents: 1_000_000,
  changes: 100_000,
};

interface Deps {
  readonly auditLog: AuditLog;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly limits: RetentionLimits;
  /** Between two rounds; the first begins at once. */
  readonly everyMs: number;
  /** A round that failed; the next is made all the same. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** Forgets what is beyond the limits, round after round, until `signal`. Does not reject. */
export async function keepBounded(deps: Deps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await forget(deps, signal).catch(deps.onError);
    await sleep(deps.everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function forget({ auditLog, changes, clock, limits }: Deps, signal: AbortSignal): Promise<void> {
  await auditLog.prune(clock() - limits.auditMs, limits.auditEvents, signal);
  await changes.prune(limits.changes, signal);
}
