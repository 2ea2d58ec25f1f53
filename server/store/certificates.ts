import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

type Table = Tables["certificate"];
type CertificateKind = Table["kind"];
export type CertificateState = Table["state"];

/** One certificate this hpsd issued. Times are UTC milliseconds; digests are hex. */
export interface CertificateRow {
  readonly serial: string;
  readonly kind: CertificateKind;
  /** Operator name, installation id, host id or server name. */
  readonly subject: string;
  readonly hostId: string | null;
  readonly clusterId: string | null;
  readonly state: CertificateState;
  readonly fingerprint: string;
  /** SHA-256 of the SPKI. */
  readonly publicKey: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuedAt: number;
  readonly revokedAt: number | null;
  readonly revokeReason: string;
  /** Leaf and intermediate. */
  readonly pem: string;
  /** Serial of the one it renews. */
  readonly replaces: string | null;
}

export async function insertCertificate(tx: Tx, row: CertificateRow): Promise<void> {
  await tx
    .insertInto("certificate")
    .values({
      serial: row.serial,
      kind: row.kind,
      subject: row.subject,
      host_id: row.hostId,
      cluster_id: row.clusterId,
      state: row.state,
      fingerprint: row.fingerprint,
      public_key: row.publicKey,
      not_before: row.notBefore,
      not_after: row.notAfter,
      issued_at: row.issuedAt,
      revoked_at: row.revokedAt,
      revoke_reason: row.revokeReason,
      pem: row.pem,
      replaces: row.replaces,
    })
    .execute();
}

export async function selectCertificate(db: Db, serial: string): Promise<CertificateRow | undefined> {
  const row = await db.selectFrom("certificate").selectAll().where("serial", "=", serial).executeTakeFirst();
  return row && rowOf(row);
}

/** Which certificates; every field that is set narrows. */
export interface CertificateFilter {
  readonly serial?: string;
  readonly kind?: CertificateKind;
  readonly subject?: string;
  readonly hostId?: string;
  readonly publicKey?: string;
  readonly replaces?: string;
  readonly states?: readonly CertificateState[];
  /** Only those whose end is later. */
  readonly endsAfter?: number;
}

const COLUMNS = {
  serial: "serial",
  kind: "kind",
  subject: "subject",
  hostId: "host_id",
  publicKey: "public_key",
  replaces: "replaces",
} as const;

export interface CertificatePage extends CertificateFilter {
  /** Only those issued before this one: the last of the page before. */
  readonly before?: Pick<CertificateRow, "issuedAt" | "serial">;
  readonly limit: number;
}

/** Newest first. */
export async function selectCertificates(db: Db, page: CertificatePage): Promise<CertificateRow[]> {
  let select = db.selectFrom("certificate").selectAll().limit(page.limit);
  for (const field of ["serial", "kind", "subject", "hostId", "publicKey", "replaces"] as const) {
    const value = page[field];
    if (value !== undefined) select = select.where(COLUMNS[field], "=", value);
  }
  if (page.states !== undefined) select = select.where("state", "in", [...page.states]);
  if (page.endsAfter !== undefined) select = select.where("not_after", ">", page.endsAfter);
  const { before } = page;
  if (before !== undefined) {
    select = select.where(({ eb, and, or }) =>
      or([
        eb("issued_at", "<", before.issuedAt),
        and([eb("issued_at", "=", before.issuedAt), eb("serial", "<", before.serial)]),
      ]),
    );
  }
  const rows = await select.orderBy("issued_at", "desc").orderBy("serial", "desc").execute();
  return rows.map(rowOf);
}

export interface CertificateChange {
  readonly state: CertificateState;
  readonly revokedAt?: number;
  readonly revokeReason?: string;
}

export async function updateCertificate(tx: Tx, serial: string, change: CertificateChange): Promise<void> {
  await tx
    .updateTable("certificate")
    .set({
      state: change.state,
      ...(change.revokedAt !== undefined && { revoked_at: change.revokedAt }),
      ...(change.revokeReason !== undefined && { revoke_reason: change.revokeReason }),
    })
    .where("serial", "=", serial)
    .execute();
}

/** Forgets those that ended before `at`: nothing can be done with them, and the audit log keeps what was. */
export async function pruneCertificates(tx: Tx, at: number): Promise<void> {
  await tx.deleteFrom("certificate").where("not_after", "<", at).execute();
}

function rowOf(row: Table): CertificateRow {
  return {
    serial: row.serial,
    kind: row.kind,
    subject: row.subject,
    hostId: row.host_id,
    clusterId: row.cluster_id,
    state: row.state,
    fingerprint: row.fingerprint,
    publicKey: row.public_key,
    notBefore: row.not_before,
    notAfter: row.not_after,
    issuedAt: row.issued_at,
    revokedAt: row.revoked_at,
    revokeReason: row.revoke_reason,
    pem: row.pem,
    replaces: row.replaces,
  };
}
