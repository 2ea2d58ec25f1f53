import type { Db } from "./database.ts";

/** Whose an installation is, as long as it is open. */
export async function locateOpenInstallation(
  db: Db,
  id: string,
): Promise<{ readonly hostId: string; readonly clusterId: string } | undefined> {
  const row = await db
    .selectFrom("installation")
    .select(["host_id", "cluster_id"])
    .where("id", "=", id)
    .where("outcome", "=", "open")
    .executeTakeFirst();
  return row && { hostId: row.host_id, clusterId: row.cluster_id };
}
