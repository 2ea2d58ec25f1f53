import type { Db, Tx } from "./database.ts";

/** One run of an agent: how far its numbered messages are stored. */
export interface AgentRun {
  readonly runId: string;
  /** `spiffe://…` of the certificate it attached with. */
  readonly identity: string;
  readonly lastSequence: number;
  /** When it first attached; UTC milliseconds. */
  readonly startedAt: number;
}

export async function selectAgentRun(db: Db, runId: string): Promise<AgentRun | undefined> {
  const row = await db.selectFrom("agent_run").selectAll().where("run_id", "=", runId).executeTakeFirst();
  return row && runOf(row);
}

/** The run of this identity that started last. */
export async function selectLastRun(db: Db, identity: string): Promise<AgentRun | undefined> {
  const row = await db
    .selectFrom("agent_run")
    .selectAll()
    .where("identity", "=", identity)
    .orderBy("started_at", "desc")
    .limit(1)
    .executeTakeFirst();
  return row && runOf(row);
}

/** Keeps the newest `keep` runs of the identity beside it, so that an agent that restarts for ever fills nothing. */
export async function insertAgentRun(tx: Tx, run: AgentRun, keep: number): Promise<void> {
  const { runId, identity, lastSequence, startedAt } = run;
  const old = await tx
    .selectFrom("agent_run")
    .select("run_id")
    .where("identity", "=", identity)
    .orderBy("started_at", "desc")
    .offset(keep)
    .limit(1000)
    .execute();
  const ids = old.map(({ run_id }) => run_id);
  if (ids.length > 0) await tx.deleteFrom("agent_run").where("run_id", "in", ids).execute();
  await tx
    .insertInto("agent_run")
    .values({ run_id: runId, identity, last_sequence: lastSequence, started_at: startedAt })
    .execute();
}

/** Not executed, so that it can go along with what the messages caused. */
export function updateAgentRun(tx: Tx, runId: string, lastSequence: number) {
  return tx.updateTable("agent_run").set({ last_sequence: lastSequence }).where("run_id", "=", runId);
}

/** For an identity that will not attach again. */
export async function deleteAgentRuns(tx: Tx, identity: string): Promise<void> {
  await tx.deleteFrom("agent_run").where("identity", "=", identity).execute();
}

function runOf(row: { run_id: string; identity: string; last_sequence: number; started_at: number }): AgentRun {
  return {
    runId: row.run_id,
    identity: row.identity,
    lastSequence: row.last_sequence,
    startedAt: row.started_at,
  };
}
