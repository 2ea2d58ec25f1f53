import type { Db, Tx } from "./database.ts";

export type Admission = "armed" | "approve";

/** What an operator decides about a cluster. */
export interface ClusterFields {
  readonly description: string;
  readonly domain: string;
  readonly admission: Admission;
}

export interface ClusterRecord extends ClusterFields {
  readonly id: string;
  readonly name: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: number;
}

export interface NewCluster extends ClusterFields {
  readonly id: string;
  readonly name: string;
  readonly at: number;
}

export async function insertCluster(tx: Tx, { at, ...fields }: NewCluster): Promise<void> {
  await tx
    .insertInto("cluster")
    .values({ ...fields, created_at: at, updated_at: at, revision: 1 })
    .execute();
}

export async function clusterById(db: Db, id: string): Promise<ClusterRecord | undefined> {
  const row = await db.selectFrom("cluster").selectAll().where("id", "=", id).executeTakeFirst();
  return row && recordOf(row);
}

export interface ClusterQuery {
  /** Ids; at least one. */
  readonly clusters: "all" | readonly string[];
  /** Only those with a name after this one. */
  readonly after?: string;
  readonly limit: number;
}

/** By name. */
export async function selectClusters(db: Db, { clusters, after, limit }: ClusterQuery): Promise<ClusterRecord[]> {
  let select = db.selectFrom("cluster").selectAll().orderBy("name").limit(limit);
  if (clusters !== "all") select = select.where("id", "in", [...clusters]);
  if (after !== undefined) select = select.where("name", ">", after);
  return (await select.execute()).map(recordOf);
}

export async function updateCluster(
  tx: Tx,
  id: string,
  fields: ClusterFields & { readonly at: number },
): Promise<void> {
  const { at, ...changed } = fields;
  await tx
    .updateTable("cluster")
    .set((eb) => ({ ...changed, updated_at: at, revision: eb("revision", "+", 1) }))
    .where("id", "=", id)
    .execute();
}

/** Role bindings in it go too. The foreign keys refuse it while hosts or images are in it. */
export async function deleteCluster(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("role_binding").where("cluster_id", "=", id).execute();
  await tx.deleteFrom("cluster").where("id", "=", id).execute();
}

/** How many of them are in it. */
export async function countIn(db: Db, table: "host" | "image", clusterId: string): Promise<number> {
  const row = await db
    .selectFrom(table)
    .select(({ fn }) => fn.countAll().as("count"))
    .where("cluster_id", "=", clusterId)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

interface Row extends ClusterFields {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
}

function recordOf({ created_at, updated_at, ...row }: Row): ClusterRecord {
  return { ...row, createdAt: created_at, updatedAt: updated_at };
}
