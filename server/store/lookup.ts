import type { Db } from "./database.ts";

/** Just enough of an object to decide who may have it. */
export interface Located {
  readonly id: string;
  readonly clusterId: string;
  /** The host it is or belongs to; absent for a cluster. */
  readonly hostId?: string;
}

export async function locateCluster(db: Db, name: string): Promise<Located | undefined> {
  const row = await db.selectFrom("cluster").select("id").where("name", "=", name).executeTakeFirst();
  return row && { id: row.id, clusterId: row.id };
}

export async function locateHost(db: Db, id: string): Promise<Located | undefined> {
  const row = await db.selectFrom("host").select(["id", "cluster_id"]).where("id", "=", id).executeTakeFirst();
  return row && { id: row.id, clusterId: row.cluster_id, hostId: row.id };
}

export async function locateHostByName(db: Db, cluster: string, name: string): Promise<Located | undefined> {
  const row = await db
    .selectFrom("host")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["host.id", "host.cluster_id"])
    .where("cluster.name", "=", cluster)
    .where("host.name", "=", name)
    .executeTakeFirst();
  return row && { id: row.id, clusterId: row.cluster_id, hostId: row.id };
}

/** An installation or a session, by id. */
export async function locateRecord(
  db: Db,
  table: "installation" | "session",
  id: string,
): Promise<Located | undefined> {
  const row = await db
    .selectFrom(table)
    .select(["id", "cluster_id", "host_id"])
    .where("id", "=", id)
    .executeTakeFirst();
  return row && { id: row.id, clusterId: row.cluster_id, hostId: row.host_id };
}
