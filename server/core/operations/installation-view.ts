import type { Facts } from "../../../proto/values/facts.ts";
import type { Db } from "../../store/database.ts";
import {
  type InstallationQuery,
  type NamedInstallationRow,
  selectNamedInstallations,
} from "../../store/installations.ts";
import type { LogLineRow } from "../../store/log-lines.ts";
import { type StepRow, selectSteps } from "../../store/steps.ts";

/** An agent that holds a claim and waits for an operator. */
export interface PendingEnrolmentView {
  /** As its console shows it. */
  readonly fingerprint: string;
  readonly address: string;
  /** UTC milliseconds. */
  readonly requestedAt: number;
  /** What it says of itself, unauthenticated. */
  readonly facts?: Facts;
}

/** For those that show them: the store's rows are what is shown. */
export type StepView = StepRow;
export type LogLine = LogLineRow;

/** An installation as it is shown. */
export interface InstallationView extends NamedInstallationRow {
  readonly steps: readonly StepRow[];
  readonly pending?: PendingEnrolmentView;
  readonly attached: boolean;
  /** UTC milliseconds: when it restarts at the latest though shells are open; undefined: it does not wait for any. */
  readonly restartAt?: number;
}

/** What a view needs from others. */
export interface ViewSources {
  /** The gate's: who waits to enrol. */
  readonly pendingOf: (db: Db, installationId: string) => Promise<PendingEnrolmentView | undefined>;
  readonly isAttached: (hostId: string) => boolean;
  readonly restartAt: (hostId: string) => number | undefined;
}

export async function viewInstallations(
  db: Db,
  query: InstallationQuery,
  sources: ViewSources,
): Promise<InstallationView[]> {
  const rows = await selectNamedInstallations(db, query);
  const views: InstallationView[] = [];
  for (const row of rows) views.push(await viewOf(db, row, sources));
  return views;
}

async function viewOf(db: Db, row: NamedInstallationRow, sources: ViewSources): Promise<InstallationView> {
  const steps = await selectSteps(db, row.id);
  const open = row.outcome === "open";
  const pending = open ? await sources.pendingOf(db, row.id) : undefined;
  const attached = open && sources.isAttached(row.hostId);
  const restartAt = open ? sources.restartAt(row.hostId) : undefined;
  return { ...row, steps, attached, ...(restartAt !== undefined && { restartAt }), ...(pending && { pending }) };
}
