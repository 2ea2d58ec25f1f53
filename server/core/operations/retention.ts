import { identityUri } from "../../../certs/identity.ts";
import { deleteAgentRuns } from "../../store/agent-runs.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectForgettable } from "../../store/ended-installations.ts";
import { deleteInstallation, selectInstallation } from "../../store/installations.ts";
import { deleteEndedLogLines } from "../../store/log-lines.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";

const DAY = 86_400_000;
/** In one transaction, so that agents need not wait long. */
const LINES_AT_ONCE = 5_000;
const INSTALLATIONS_AT_ONCE = 100;

export interface Retention {
  /** Log lines of an ended installation; default 30 days. */
  readonly logMs: number;
  /** Ended installations with their journals; default 365 days. */
  readonly installationMs: number;
  /** Ended installations in all; default 10 000. */
  readonly installations: number;
}

export const DEFAULT_RETENTION: Retention = { logMs: 30 * DAY, installationMs: 365 * DAY, installations: 10_000 };

export interface RetentionDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly changes: Changes;
  readonly trustDomain: string;
}

/** Forgets what is too old or too much of ended installations; open ones are never touched. Stops early at `signal`. */
export async function pruneInstallations(
  { store, clock, changes, trustDomain }: RetentionDeps,
  { logMs, installationMs, installations }: Retention,
  signal: AbortSignal,
): Promise<void> {
  const now = clock();
  const some = () => store.write((tx) => deleteEndedLogLines(tx, now - logMs, LINES_AT_ONCE));
  while (!signal.aborted && (await some()) > 0);
  const limits = { at: now - installationMs, keep: installations, limit: INSTALLATIONS_AT_ONCE };
  const forgettable = await store.read((db) => selectForgettable(db, limits));
  for (const id of forgettable) {
    if (signal.aborted) return;
    await store.write(async (tx) => {
      const row = await selectInstallation(tx, id);
      await deleteInstallation(tx, id);
      await deleteAgentRuns(tx, identityUri(trustDomain, { kind: "installer", id }));
      const clusterId = row?.clusterId ?? null;
      await changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: true });
    });
  }
}
