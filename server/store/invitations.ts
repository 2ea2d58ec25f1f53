import type { Db, Tx } from "./database.ts";

/** A one-time token by which an operator gets its first certificate on a machine. Times are UTC milliseconds. */
export interface InvitationRow {
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  readonly operatorId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** The key that used it: SHA-256 of the SPKI, hex. */
  readonly publicKey: string | null;
  readonly certificateSerial: string | null;
}

export async function insertInvitation(tx: Tx, row: InvitationRow): Promise<void> {
  await tx
    .insertInto("invitation")
    .values({
      token_hash: row.tokenHash,
      operator_id: row.operatorId,
      created_at: row.createdAt,
      expires_at: row.expiresAt,
      public_key: row.publicKey,
      certificate_serial: row.certificateSerial,
    })
    .execute();
}

/** The invitation and the name of its operator. */
export async function selectInvitation(
  db: Db,
  tokenHash: string,
): Promise<(InvitationRow & { readonly operator: string }) | undefined> {
  const row = await db
    .selectFrom("invitation")
    .innerJoin("operator", "operator.id", "invitation.operator_id")
    .selectAll("invitation")
    .select("operator.name")
    .where("token_hash", "=", tokenHash)
    .executeTakeFirst();
  return (
    row && {
      tokenHash: row.token_hash,
      operatorId: row.operator_id,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      publicKey: row.public_key,
      certificateSerial: row.certificate_serial,
      operator: row.name,
    }
  );
}

/** Binds it to the key that used it. */
export async function useInvitation(
  tx: Tx,
  tokenHash: string,
  used: { readonly publicKey: string; readonly certificateSerial: string },
): Promise<void> {
  await tx
    .updateTable("invitation")
    .set({ public_key: used.publicKey, certificate_serial: used.certificateSerial })
    .where("token_hash", "=", tokenHash)
    .execute();
}

export async function countOpenInvitations(db: Db, operatorId: string): Promise<number> {
  const row = await db
    .selectFrom("invitation")
    .select(({ fn }) => fn.count<number>("token_hash").as("count"))
    .where("operator_id", "=", operatorId)
    .where("public_key", "is", null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Forgets all whose time is over. */
export async function pruneInvitations(tx: Tx, now: number): Promise<void> {
  await tx.deleteFrom("invitation").where("expires_at", "<=", now).execute();
}
