/** The chain of digests through the audit log: how it is written on, cut at its old end, and read to be verified. */
import type { NewAuditRow } from "./audit.ts";
import { auditDigest, type DigestedEvent } from "./audit-digest.ts";
import type { Db, Tx } from "./database.ts";

/** Some event of the chain, by number and digest; 0 and empty: before the first of all. */
export interface ChainLink {
  readonly sequence: number;
  readonly digest: string;
}

const START: ChainLink = { sequence: 0, digest: "" };
/** The one row of its table. */
const FIRST_KEPT = "first-kept";
/** Rows in one statement: SQLite takes 32 766 values. */
const INSERTED_AT_ONCE = 500;

/** What waits for its place in the chain, by transaction. */
const appenders = new WeakMap<Tx, Appender>();

/** Puts an event at the end of the chain. What is asked for at one time in one transaction goes in one statement. */
export async function insertAudit(tx: Tx, row: NewAuditRow): Promise<void> {
  const appender = appenders.get(tx) ?? new Appender(tx);
  appenders.set(tx, appender);
  await appender.add(row);
}

interface Waiting {
  readonly row: NewAuditRow;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads the chain's end anew before each statement, because a savepoint between two of them may have added to it or have
 * been undone; and writes one statement at a time, because each continues the one before.
 */
class Appender {
  readonly #tx: Tx;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(tx: Tx) {
    this.#tx = tx;
  }

  add(row: NewAuditRow): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ row, resolve, reject });
    if (!this.#isWriting) void this.#writeAll();
    return promise;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, INSERTED_AT_ONCE);
      try {
        await this.#write(some.map(({ row }) => row));
        for (const { resolve } of some) resolve();
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#isWriting = false;
  }

  async #write(rows: readonly NewAuditRow[]): Promise<void> {
    let last = await selectAuditHead(this.#tx);
    const values = rows.map((row) => {
      const event = { ...storable(row), sequence: last.sequence + 1 };
      last = { sequence: event.sequence, digest: auditDigest(last.digest, event) };
      return { ...event, digest: last.digest };
    });
    await this.#tx.insertInto("audit").values(values).execute();
  }
}

/** As it will be read again: half a character, which a text that was cut may end with, is not stored as it is. */
function storable({ clusterId, details, at, outcome, ...row }: NewAuditRow) {
  return {
    ...{ at, outcome, cluster_id: clusterId },
    actor: row.actor.toWellFormed(),
    action: row.action.toWellFormed(),
    target: row.target.toWellFormed(),
    address: row.address.toWellFormed(),
    reason: row.reason.toWellFormed(),
    incident: row.incident.toWellFormed(),
    details_json: JSON.stringify(details),
  };
}

/** The newest event. */
export async function selectAuditHead(db: Db): Promise<ChainLink> {
  const row = await db
    .selectFrom("audit")
    .select(["sequence", "digest"])
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst();
  return row ?? START;
}

/** A part of the chain, oldest first, and the last event that retention took: what the first one kept continues. */
export interface ChainPart {
  readonly anchor: ChainLink;
  readonly events: readonly (DigestedEvent & ChainLink)[];
}

export async function selectAuditChain(db: Db, after: number, limit: number): Promise<ChainPart> {
  const [anchor, events] = await Promise.all([
    db.selectFrom("audit_anchor").select(["sequence", "digest"]).where("id", "=", FIRST_KEPT).executeTakeFirst(),
    db.selectFrom("audit").selectAll().where("sequence", ">", after).orderBy("sequence").limit(limit).execute(),
  ]);
  return { anchor: anchor ?? START, events };
}

/** Takes the oldest events away, up to and with this one, and keeps where the chain goes on. */
export async function cutAuditChain(tx: Tx, last: ChainLink): Promise<void> {
  const { sequence, digest } = last;
  await tx.deleteFrom("audit").where("sequence", "<=", sequence).execute();
  await tx
    .insertInto("audit_anchor")
    .values({ id: FIRST_KEPT, sequence, digest })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ sequence, digest }))
    .execute();
}
