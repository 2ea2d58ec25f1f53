import type { Db, Tx } from "./database.ts";

/** An unknown machine that asked how to boot. Nothing it says of itself is authenticated. */
export interface Contact {
  readonly mac: string;
  readonly address: string;
  /** UTC milliseconds. */
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly inventory: Readonly<Record<string, string>>;
}

export interface Sighting {
  readonly mac: string;
  readonly address: string;
  readonly inventory: Readonly<Record<string, string>>;
  readonly at: number;
}

/** A new contact, or the newer word of a known one. */
export async function upsertContact(tx: Tx, { mac, address, inventory, at }: Sighting): Promise<void> {
  const seen = { address, last_seen_at: at, inventory_json: JSON.stringify(inventory) };
  await tx
    .insertInto("contact")
    .values({ mac, first_seen_at: at, ...seen })
    .onConflict((conflict) => conflict.column("mac").doUpdateSet(seen))
    .execute();
}

/** Forgets all but the `keep` that were seen last. */
export async function pruneContacts(tx: Tx, keep: number): Promise<void> {
  const surplus = tx
    .selectFrom("contact")
    .select("mac")
    .orderBy("last_seen_at", "desc")
    .orderBy("mac", "desc")
    .offset(keep)
    .limit(PRUNED_AT_ONCE);
  await tx.deleteFrom("contact").where("mac", "in", surplus).execute();
}

const PRUNED_AT_ONCE = 1_000;

export async function deleteContacts(tx: Tx, macs: readonly string[]): Promise<void> {
  if (macs.length > 0)
    await tx
      .deleteFrom("contact")
      .where("mac", "in", [...macs])
      .execute();
}

export interface ContactQuery {
  /** Only those seen before this one. */
  readonly after?: { readonly lastSeenAt: number; readonly mac: string };
  readonly limit: number;
}

/** Newest first. */
export async function selectContacts(db: Db, { after, limit }: ContactQuery): Promise<Contact[]> {
  let select = db.selectFrom("contact").selectAll().orderBy("last_seen_at", "desc").orderBy("mac", "desc").limit(limit);
  if (after !== undefined) {
    select = select.where((eb) => eb(eb.refTuple("last_seen_at", "mac"), "<", eb.tuple(after.lastSeenAt, after.mac)));
  }
  return (await select.execute()).map((row) => ({
    mac: row.mac,
    address: row.address,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    inventory: JSON.parse(row.inventory_json),
  }));
}
