import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

/** One claim as stored; see tables.ts for what each field means. */
export interface ClaimRow {
  readonly id: string;
  readonly tokenHash: string | null;
  readonly installationId: string;
  readonly hostId: string;
  readonly mac: string;
  readonly address: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly fetchedAt: number | null;
  readonly voidedAt: number | null;
  readonly voidReason: string;
  readonly publicKey: string | null;
  readonly pending: PendingRow | null;
  readonly approvedAt: number | null;
  readonly certificateSerial: string | null;
}

/** An agent that waits for an operator to compare its fingerprint. */
export interface PendingRow {
  readonly at: number;
  readonly address: string;
  /** Facts as JSON text. */
  readonly facts: string | null;
}

export type NewClaim = Pick<
  ClaimRow,
  "id" | "installationId" | "hostId" | "mac" | "address" | "issuedAt" | "expiresAt"
>;

export async function insertClaim(tx: Tx, claim: NewClaim): Promise<void> {
  await tx
    .insertInto("claim")
    .values({
      id: claim.id,
      installation_id: claim.installationId,
      host_id: claim.hostId,
      mac: claim.mac,
      address: claim.address,
      issued_at: claim.issuedAt,
      expires_at: claim.expiresAt,
      void_reason: "",
    })
    .execute();
}

export async function selectClaim(
  db: Db,
  by: { readonly id: string } | { readonly tokenHash: string },
): Promise<ClaimRow | undefined> {
  const query = db.selectFrom("claim").selectAll();
  const row = await ("id" in by
    ? query.where("id", "=", by.id)
    : query.where("token_hash", "=", by.tokenHash)
  ).executeTakeFirst();
  return row && rowOf(row);
}

/** The claim of an installation whose agent waits for approval, the newest first. */
export async function selectPendingClaim(db: Db, installationId: string): Promise<ClaimRow | undefined> {
  const row = await db
    .selectFrom("claim")
    .selectAll()
    .where("installation_id", "=", installationId)
    .where("pending_at", "is not", null)
    .where("voided_at", "is", null)
    .where("approved_at", "is", null)
    .orderBy("issued_at", "desc")
    .executeTakeFirst();
  return row && rowOf(row);
}

/** Marks it fetched; the token's hash is known from now on. */
export async function setClaimFetched(tx: Tx, id: string, at: number, tokenHash: string): Promise<void> {
  await tx.updateTable("claim").set({ fetched_at: at, token_hash: tokenHash }).where("id", "=", id).execute();
}

/** Binds it to the only key it may enrol, whose agent now waits for approval. */
export async function setClaimPending(tx: Tx, id: string, publicKey: string, pending: PendingRow): Promise<void> {
  await tx
    .updateTable("claim")
    .set({
      public_key: publicKey,
      pending_at: pending.at,
      pending_address: pending.address,
      pending_facts_json: pending.facts,
    })
    .where("id", "=", id)
    .execute();
}

export async function setClaimApproved(tx: Tx, id: string, at: number, by: string): Promise<void> {
  await tx.updateTable("claim").set({ approved_at: at, approved_by: by }).where("id", "=", id).execute();
}

/** Binds it to its key and the certificate it gave. */
export async function setClaimSpent(tx: Tx, id: string, publicKey: string, serial: string): Promise<void> {
  await tx
    .updateTable("claim")
    .set({ public_key: publicKey, certificate_serial: serial })
    .where("id", "=", id)
    .execute();
}

/** Voids every claim of an installation that is not void yet. */
export async function voidClaims(tx: Tx, installationId: string, at: number, reason: string): Promise<void> {
  await tx
    .updateTable("claim")
    .set({ voided_at: at, void_reason: reason })
    .where("installation_id", "=", installationId)
    .where("voided_at", "is", null)
    .execute();
}

function rowOf(row: Tables["claim"]): ClaimRow {
  const { pending_at: at, pending_address: address, pending_facts_json: facts } = row;
  return {
    id: row.id,
    tokenHash: row.token_hash,
    installationId: row.installation_id,
    hostId: row.host_id,
    mac: row.mac,
    address: row.address,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
    fetchedAt: row.fetched_at,
    voidedAt: row.voided_at,
    voidReason: row.void_reason,
    publicKey: row.public_key,
    pending: at === null ? null : { at, address: address ?? "", facts },
    approvedAt: row.approved_at,
    certificateSerial: row.certificate_serial,
  };
}
