import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

type StoredRole = Tables["role_binding"]["role"];

/** In all clusters. */
const EVERYWHERE = "*";

/** A role in one cluster (by id) or in all (`*`). */
export interface BindingRow {
  readonly clusterId: string;
  readonly role: StoredRole;
}

/** A binding as people read it: the cluster by name, or `*`. */
export interface NamedBinding {
  readonly cluster: string;
  readonly role: StoredRole;
}

export interface OperatorRow {
  readonly id: string;
  readonly name: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
}

export async function insertOperator(tx: Tx, { id, name, createdAt }: OperatorRow): Promise<void> {
  await tx.insertInto("operator").values({ id, name, created_at: createdAt }).execute();
}

export async function selectOperator(db: Db, name: string): Promise<OperatorRow | undefined> {
  const row = await db.selectFrom("operator").selectAll().where("name", "=", name).executeTakeFirst();
  return row && { id: row.id, name: row.name, createdAt: row.created_at };
}

/** By name, above `after`. */
export async function selectOperators(db: Db, after: string, limit: number): Promise<OperatorRow[]> {
  const select = db.selectFrom("operator").selectAll().where("name", ">", after).orderBy("name").limit(limit);
  return (await select.execute()).map((row) => ({ id: row.id, name: row.name, createdAt: row.created_at }));
}

/** Its roles and invitations go with it. */
export async function deleteOperator(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("operator").where("id", "=", id).execute();
}

export async function selectBindings(db: Db, operatorId: string): Promise<BindingRow[]> {
  const select = db.selectFrom("role_binding").select(["cluster_id", "role"]).where("operator_id", "=", operatorId);
  return (await select.execute()).map(({ cluster_id, role }) => ({ clusterId: cluster_id, role }));
}

/** Those of clusters that still exist, `*` first, then by cluster name. */
export async function selectNamedBindings(db: Db, operatorId: string): Promise<NamedBinding[]> {
  const rows = await db
    .selectFrom("role_binding")
    .leftJoin("cluster", "cluster.id", "role_binding.cluster_id")
    .select(["role_binding.cluster_id", "role_binding.role", "cluster.name"])
    .where("role_binding.operator_id", "=", operatorId)
    .execute();
  return rows
    .flatMap(({ cluster_id, role, name }) => {
      const cluster = cluster_id === EVERYWHERE ? EVERYWHERE : name;
      return cluster === null ? [] : [{ cluster, role }];
    })
    .toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1));
}

export async function replaceBindings(tx: Tx, operatorId: string, bindings: readonly BindingRow[]): Promise<void> {
  await tx.deleteFrom("role_binding").where("operator_id", "=", operatorId).execute();
  for (const { clusterId, role } of bindings) {
    await tx.insertInto("role_binding").values({ operator_id: operatorId, cluster_id: clusterId, role }).execute();
  }
}

/** How many operators other than this one are admin in all clusters and hold a certificate that is good at `now`. */
export async function countOtherGlobalAdmins(db: Db, operatorId: string, now: number): Promise<number> {
  const row = await db
    .selectFrom("role_binding")
    .innerJoin("operator", "operator.id", "role_binding.operator_id")
    .innerJoin("certificate", "certificate.subject", "operator.name")
    .select(({ fn }) => fn.count<number>("operator.id").distinct().as("count"))
    .where("role_binding.cluster_id", "=", EVERYWHERE)
    .where("role_binding.role", "=", "admin")
    .where("operator.id", "<>", operatorId)
    .where("certificate.kind", "=", "operator")
    .where("certificate.state", "=", "valid")
    .where("certificate.not_after", ">", now)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
