import { cutAuditChain } from "./audit-chain.ts";
import type { Db, Tx } from "./database.ts";

/** One decision or change: who, what, on whom, from where, outcome, why. */
interface AuditRow {
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

/** What to list: of these clusters (`all` includes what belongs to none), narrowed by each field that is set. */
export interface AuditQuery {
  readonly clusters: "all" | readonly string[];
  /** UTC milliseconds: from this one on, and only before that one. */
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

/** An event, and the name its cluster has now; empty when it has none. */
export type AuditRecord = AuditRow & { readonly cluster: string };

/** Newest first, or oldest first when `after` is set. */
export async function selectAudit(db: Db, query: AuditQuery): Promise<AuditRecord[]> {
  if (query.clusters.length === 0) return [];
  let select = db
    .selectFrom("audit")
    .leftJoin("cluster", "cluster.id", "audit.cluster_id")
    .selectAll("audit")
    .select("cluster.name as cluster")
    .limit(query.limit);
  if (query.clusters !== "all") select = select.where("audit.cluster_id", "in", [...query.clusters]);
  if (query.from !== undefined) select = select.where("audit.at", ">=", query.from);
  if (query.to !== undefined) select = select.where("audit.at", "<", query.to);
  for (const field of ["actor", "target", "incident", "outcome"] as const) {
    const value = query[field];
    if (value !== undefined) select = select.where(`audit.${field}`, "=", value);
  }
  if (query.before !== undefined) select = select.where("audit.sequence", "<", query.before);
  select =
    query.after === undefined
      ? select.orderBy("audit.sequence", "desc")
      : select.where("audit.sequence", ">", query.after).orderBy("audit.sequence", "asc");
  return (await select.execute()).map(({ cluster_id, details_json, cluster, digest: _, ...row }) => ({
    ...row,
    clusterId: cluster_id,
    cluster: cluster ?? "",
    details: JSON.parse(details_json),
  }));
}

/** The lowest and highest sequence kept; 0 and 0 when there is none. */
export async function auditBounds(db: Db): Promise<{ readonly first: number; readonly last: number }> {
  const row = await db
    .selectFrom("audit")
    .select(({ fn }) => [fn.min("sequence").as("first"), fn.max("sequence").as("last")])
    .executeTakeFirst();
  return { first: row?.first ?? 0, last: row?.last ?? 0 };
}

export interface AuditRetention {
  /** UTC milliseconds; what is older goes. */
  readonly before: number;
  /** All but about so many of the newest go. */
  readonly keep: number;
  /** At most so many go at once, so that the writer is not held for long. */
  readonly batch: number;
}

/**
 * Forgets the oldest, but never the very newest, so that numbers are never given twice. Only from the old end on, so that
 * what is left is one chain: an event that a wrong clock put years ahead stays until it is one of too many. How many went.
 */
export async function pruneAudit(tx: Tx, { before, keep, batch }: AuditRetention): Promise<number> {
  const { last } = await auditBounds(tx);
  const oldest = await tx
    .selectFrom("audit")
    .select(["sequence", "at", "digest"])
    .where("sequence", "<", last)
    .orderBy("sequence")
    .limit(batch)
    .execute();
  const kept = oldest.findIndex(({ at, sequence }) => at >= before && sequence > last - keep);
  const gone = kept === -1 ? oldest : oldest.slice(0, kept);
  const end = gone.at(-1);
  if (end !== undefined) await cutAuditChain(tx, end);
  return gone.length;
}
