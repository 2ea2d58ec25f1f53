import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

type StepState = Tables["step"]["state"];

/** One part of an operation. Times are UTC milliseconds; `done` and `total` count `unit`s, `total` 0 is unknown. */
export interface StepRow {
  readonly name: string;
  readonly state: StepState;
  /** 0 before the first try. */
  readonly attempt: number;
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  readonly reason: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** In order. */
export async function selectSteps(db: Db, installationId: string): Promise<StepRow[]> {
  const rows = await db
    .selectFrom("step")
    .selectAll()
    .where("installation_id", "=", installationId)
    .orderBy("ordinal")
    .execute();
  return rows.map(({ installation_id, ordinal, started_at, ended_at, ...row }) => ({
    ...row,
    startedAt: started_at,
    endedAt: ended_at,
  }));
}

/** The whole list as it now is. Not executed, so that it can go along with other statements. */
export function replaceSteps(tx: Tx, installationId: string, steps: readonly StepRow[]) {
  const values = steps.map((step, ordinal) => rowOf(installationId, ordinal, step));
  const insert = values.length === 0 ? [] : [tx.insertInto("step").values(values)];
  return [tx.deleteFrom("step").where("installation_id", "=", installationId), ...insert];
}

/** One step that is in the list already. Not executed. */
export function updateStep(tx: Tx, installationId: string, step: StepRow) {
  const { name, startedAt, endedAt, ...rest } = step;
  return tx
    .updateTable("step")
    .set({ ...rest, started_at: startedAt, ended_at: endedAt })
    .where("installation_id", "=", installationId)
    .where("name", "=", name);
}

function rowOf(installationId: string, ordinal: number, { startedAt, endedAt, ...rest }: StepRow): Tables["step"] {
  return { installation_id: installationId, ordinal, ...rest, started_at: startedAt, ended_at: endedAt };
}
