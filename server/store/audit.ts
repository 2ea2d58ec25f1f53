import type { Db, Tx } from "./database.ts";

/** One decision or change: who, what, on whom, from where, outcome, why. */
export interface AuditRow {
  readonly sequence: number;
  /** UTC milliseconds. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly clusterId: string | null;
  readonly address: string;
  readonly outcome: "allowed" | "refused";
  readonly reason: string;
  readonly incident: string;
  readonly details: Readonly<Record<string, string>>;
}

export type NewAuditRow = Omit<AuditRow, "sequence">;

export async function insertAudit(tx: Tx, { clusterId, details, ...row }: NewAuditRow): Promise<void> {
  await tx
    .insertInto("audit")
    .values({ ...row, cluster_id: clusterId, details_json: JSON.stringify(details) })
    .execute();
}

/** What to list: of these clusters (`all` includes what belongs to none), narrowed by each field that is set. */
export interface AuditQuery {
  readonly clusters: "all" | readonly string[];
  readonly from?: number;
  readonly to?: number;
  readonly actor?: string;
  readonly target?: string;
  readonly incident?: string;
  readonly outcome?: "allowed" | "refused";
  /** Only above, ascending; or only below, descending. */
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
}

/** Newest first, or oldest first when `after` is set. */
export async function selectAudit(db: Db, query: AuditQuery): Promise<AuditRow[]> {
  let select = db.selectFrom("audit").selectAll().limit(query.limit);
  if (query.clusters !== "all") select = select.where("cluster_id", "in", [...query.clusters]);
  if (query.from !== undefined) select = select.where("at", ">=", query.from);
  if (query.to !== undefined) select = select.where("at", "<", query.to);
  for (const field of ["actor", "target", "incident", "outcome"] as const) {
    const value = query[field];
    if (value !== undefined) select = select.where(field, "=", value);
  }
  if (query.before !== undefined) select = select.where("sequence", "<", query.before);
  select =
    query.after === undefined
      ? select.orderBy("sequence", "desc")
      : select.where("sequence", ">", query.after).orderBy("sequence", "asc");
  const rows = await select.execute();
  return rows.map(({ cluster_id, details_json, ...row }) => ({
    ...row,
    clusterId: cluster_id,
    details: JSON.parse(details_json),
  }));
}

/** Forgets the oldest: all before `at`, and all but the newest `keep`. */
export async function pruneAudit(tx: Tx, at: number, keep: number): Promise<void> {
  await tx.deleteFrom("audit").where("at", "<", at).execute();
  const last = await tx
    .selectFrom("audit")
    .select("sequence")
    .orderBy("sequence", "desc")
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (last) await tx.deleteFrom("audit").where("sequence", "<=", last.sequence).execute();
}
