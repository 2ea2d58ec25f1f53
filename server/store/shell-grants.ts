import type { Db, Tx } from "./database.ts";
import type { Located } from "./lookup.ts";
import type { Tables } from "./schema/tables.ts";

type StoredRole = NonNullable<Tables["shell_grant"]["role"]>;

/** To whom: one operator, or everybody who has at least a role. */
export type Grantee = { readonly operatorId: string } | { readonly role: StoredRole };

/** On which hosts: one, or those that have all these tags; without a tag every one of the cluster. */
export type GrantHosts = { readonly hostId: string } | { readonly tags: ReadonlyMap<string, string> };

/** Just enough of a grant to decide by. Times are UTC milliseconds. */
export interface ShellGrant {
  readonly id: string;
  readonly to: Grantee;
  readonly on: GrantHosts;
  readonly permission: "watch" | "enter";
  readonly expiresAt: number | null;
}

export interface NewShellGrant extends ShellGrant {
  readonly clusterId: string;
  readonly reason: string;
  readonly createdBy: string;
  readonly createdAt: number;
}

/** A grant as people read it. */
export interface ShellGrantRow extends NewShellGrant {
  readonly cluster: string;
  /** Names of what `to` and `on` name by id; empty when they name none. */
  readonly operator: string;
  readonly host: string;
}

/** What to list, newest first. */
export interface ShellGrantQuery {
  readonly clusters: "all" | readonly string[];
  /** Only what was made before this one. */
  readonly before?: Pick<ShellGrantRow, "createdAt" | "id">;
  readonly limit: number;
}

export async function insertShellGrant(tx: Tx, grant: NewShellGrant): Promise<void> {
  const { id, to, on, permission, expiresAt, clusterId, reason, createdBy, createdAt } = grant;
  await tx
    .insertInto("shell_grant")
    .values({
      ...{ id, cluster_id: clusterId, permission, expires_at: expiresAt, reason },
      operator_id: "operatorId" in to ? to.operatorId : null,
      role: "role" in to ? to.role : null,
      host_id: "hostId" in on ? on.hostId : null,
      tags_json: JSON.stringify("tags" in on ? Object.fromEntries(on.tags) : {}),
      ...{ created_by: createdBy, created_at: createdAt },
    })
    .execute();
}

export async function selectShellGrant(db: Db, id: string): Promise<ShellGrantRow | undefined> {
  const row = await grants(db).where("shell_grant.id", "=", id).executeTakeFirst();
  return row && grantOf(row);
}

export async function selectShellGrants(
  db: Db,
  { clusters, before, limit }: ShellGrantQuery,
): Promise<ShellGrantRow[]> {
  let select = grants(db).orderBy("shell_grant.created_at", "desc").orderBy("shell_grant.id", "desc").limit(limit);
  if (clusters !== "all") select = select.where("shell_grant.cluster_id", "in", [...clusters]);
  if (before !== undefined) {
    select = select.where(({ eb, and, or }) =>
      or([
        eb("shell_grant.created_at", "<", before.createdAt),
        and([eb("shell_grant.created_at", "=", before.createdAt), eb("shell_grant.id", "<", before.id)]),
      ]),
    );
  }
  return (await select.execute()).map(grantOf);
}

/** All that may let somebody in now. */
export async function selectLiveGrants(db: Db, clusterId: string, now: number): Promise<ShellGrantRow[]> {
  const select = grants(db)
    .where("shell_grant.cluster_id", "=", clusterId)
    .where(({ eb, or }) => or([eb("shell_grant.expires_at", "is", null), eb("shell_grant.expires_at", ">", now)]));
  return (await select.execute()).map(grantOf);
}

export async function countShellGrants(db: Db, clusterId: string): Promise<number> {
  const row = await db
    .selectFrom("shell_grant")
    .select(({ fn }) => fn.countAll().as("count"))
    .where("cluster_id", "=", clusterId)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

export async function deleteShellGrant(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("shell_grant").where("id", "=", id).execute();
}

/** Forgets those of a cluster whose time was over before `before`. */
export async function pruneShellGrants(tx: Tx, clusterId: string, before: number): Promise<void> {
  await tx.deleteFrom("shell_grant").where("cluster_id", "=", clusterId).where("expires_at", "<", before).execute();
}

export async function locateShellGrant(db: Db, id: string): Promise<Located | undefined> {
  const row = await db.selectFrom("shell_grant").select(["id", "cluster_id"]).where("id", "=", id).executeTakeFirst();
  return row && { id: row.id, clusterId: row.cluster_id };
}

function grants(db: Db) {
  return db
    .selectFrom("shell_grant")
    .innerJoin("cluster", "cluster.id", "shell_grant.cluster_id")
    .leftJoin("operator", "operator.id", "shell_grant.operator_id")
    .leftJoin("host", "host.id", "shell_grant.host_id")
    .selectAll("shell_grant")
    .select(["cluster.name as cluster_name", "operator.name as operator_name", "host.name as host_name"]);
}

type Joined = Awaited<ReturnType<ReturnType<typeof grants>["execute"]>>[number];

function grantOf(row: Joined): ShellGrantRow {
  const tags: Readonly<Record<string, string>> = JSON.parse(row.tags_json);
  return {
    ...{ id: row.id, clusterId: row.cluster_id, cluster: row.cluster_name, permission: row.permission },
    to: row.operator_id === null ? { role: row.role ?? "admin" } : { operatorId: row.operator_id },
    on: row.host_id === null ? { tags: new Map(Object.entries(tags)) } : { hostId: row.host_id },
    ...{ operator: row.operator_name ?? "", host: row.host_name ?? "" },
    ...{ expiresAt: row.expires_at, reason: row.reason, createdBy: row.created_by, createdAt: row.created_at },
  };
}
