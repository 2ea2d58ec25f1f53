import type { Tx } from "../../store/database.ts";
import { selectInstallation, updateInstallation } from "../../store/installations.ts";
import { costOf } from "../../store/log-lines.ts";
import type { Bell } from "../operations/bell.ts";
import type { LogQuota } from "../operations/log-quota.ts";
import { OperationRecord } from "../operations/operation-record.ts";

export interface LogKeeping {
  readonly quota: LogQuota;
  readonly bell: Bell;
}

interface Lines {
  readonly id: string;
  /** Where they are from. */
  readonly source: string;
  readonly lines: readonly string[];
}

/** Adds lines to the log of this installation, unless it is over: what is told of it by others than its agent. */
export async function keepLines(
  tx: Tx,
  { id, source, lines }: Lines,
  { quota, bell, now }: LogKeeping & { readonly now: number },
): Promise<void> {
  const row = await selectInstallation(tx, id);
  if (row?.outcome !== "open" || lines.length === 0) return;
  const record = new OperationRecord(row, now);
  const texts = lines.map((line) => Buffer.from(line));
  for (const text of texts) record.log(source, text);
  await quota.makeRoom(
    tx,
    id,
    texts.reduce((sum, { length }) => sum + costOf(length), 0),
  );
  await tx.batch([...record.take(tx, id), updateInstallation(tx, id, { lastLog: record.ends.lastLog })]);
  tx.afterCommit(() => bell.ring(id));
}
