import type { Db } from "./database.ts";
import type { BindingRow } from "./operators.ts";

/** A key of an operator who has a role in a cluster, by which it may be known where nobody can ask hpsd. */
export interface OperatorKey {
  readonly operatorId: string;
  readonly operator: string;
  /** In that cluster, or everywhere. */
  readonly binding: BindingRow;
  /** SHA-256 of the SPKI, hex. */
  readonly publicKey: string;
  /** UTC milliseconds. */
  readonly notAfter: number;
}

/** The keys whose certificates are good now, once for each role that counts in the cluster; by operator. */
export async function selectOperatorKeys(db: Db, clusterId: string, now: number): Promise<OperatorKey[]> {
  const rows = await db
    .selectFrom("certificate")
    .innerJoin("operator", "operator.name", "certificate.subject")
    .innerJoin("role_binding", "role_binding.operator_id", "operator.id")
    .select(["operator.id", "operator.name", "certificate.public_key", "certificate.not_after"])
    .select(["role_binding.cluster_id", "role_binding.role"])
    .where("certificate.kind", "=", "operator")
    .where("certificate.state", "=", "valid")
    .where("certificate.not_after", ">", now)
    .where("role_binding.cluster_id", "in", [clusterId, "*"])
    .orderBy("operator.name")
    .execute();
  return rows.map((row) => ({
    ...{ operatorId: row.id, operator: row.name, publicKey: row.public_key, notAfter: row.not_after },
    binding: { clusterId: row.cluster_id, role: row.role },
  }));
}

/** Hosts of a cluster, by id. */
export async function selectHostIds(db: Db, clusterId: string): Promise<readonly string[]> {
  const rows = await db.selectFrom("host").select("id").where("cluster_id", "=", clusterId).execute();
  return rows.map(({ id }) => id);
}

/** Bytes of the recordings of a host that its agent kept, and that are still there. */
export async function sumKeptRecordings(db: Db, hostId: string): Promise<number> {
  const row = await db
    .selectFrom("session")
    .leftJoin("removed_recording", "removed_recording.session_id", "session.id")
    .select(({ fn }) => fn.sum("session.recording_bytes").as("bytes"))
    .where("session.host_id", "=", hostId)
    .where("session.kept_by_agent", "=", 1)
    .where("removed_recording.session_id", "is", null)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}
