/** Brings a store's schema forward: ordered, named, forward only, each step whole or not at all. */
import { createHash } from "node:crypto";
import { sql } from "kysely";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { SchemaWriter, StoreHandle } from "./store-handle.ts";
import { Transaction } from "./transaction.ts";
import type { WorkerConnection } from "./worker-connection.ts";

/** `name` is for ever and unique; the order of the list is the order they run in. */
export interface Migration {
  readonly name: string;
  up(db: SchemaWriter): Promise<void>;
}

interface MigrationTable {
  migration: { position: number; name: string; digest: string; applied_at: number };
}

interface Applied {
  readonly name: string;
  readonly digest: string;
}

/**
 * Runs what is missing. `beforeChange` is awaited first when the store already has a schema: the place for a copy.
 * A store with a migration this list lacks was made by a newer hpsd and is refused.
 */
export async function migrate(
  connection: WorkerConnection,
  migrations: readonly Migration[],
  beforeChange: () => Promise<void>,
): Promise<void> {
  const wanted = withDigests(migrations);
  const applied = await readApplied(connection);
  refuseUnknown(wanted, applied);
  const missing = migrations.slice(applied.length);
  if (missing.length === 0) return;
  if (applied.length > 0) await beforeChange();
  // Off, as SQLite's manual asks, so that rebuilding a table deletes nothing in others; it cannot be set inside.
  await connection.runAlone("PRAGMA foreign_keys = OFF");
  try {
    for (const [index, migration] of missing.entries()) {
      const position = applied.length + index;
      await applyOne(connection, migration, { position, digest: wanted[position]?.digest ?? "" });
    }
  } finally {
    await connection.runAlone("PRAGMA foreign_keys = ON");
  }
}

/** Each digest covers the names up to it, so a list that was reordered or cut is seen at its first difference. */
function withDigests(migrations: readonly Migration[]): readonly Applied[] {
  let digest = "";
  return migrations.map(({ name }) => {
    digest = createHash("sha256").update(`${digest}\n${name}`).digest("hex");
    return { name, digest };
  });
}

async function readApplied(connection: WorkerConnection): Promise<readonly Applied[]> {
  return await inTransaction(connection, async (db) => {
    await db.schema
      .createTable("migration")
      .ifNotExists()
      .addColumn("position", "integer", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull().unique())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("applied_at", "integer", (column) => column.notNull())
      .execute();
    return await db.selectFrom("migration").select(["name", "digest"]).orderBy("position").execute();
  });
}

function refuseUnknown(wanted: readonly Applied[], applied: readonly Applied[]): void {
  const unknown = applied.find(({ digest }, index) => wanted[index]?.digest !== digest);
  if (unknown === undefined) return;
  throw new HpsError("precondition", `the store has the migration ${unknown.name}, which this hpsd does not know`, {
    hint: "run the hpsd version that made it, or a newer one, or restore a backup made before",
  });
}

async function applyOne(
  connection: WorkerConnection,
  { name, up }: Migration,
  { position, digest }: { readonly position: number; readonly digest: string },
): Promise<void> {
  try {
    await inTransaction(connection, async (db) => {
      // A migration names tables as it finds them; their types are not those of the schema it is on the way to.
      await up(db.withTables<Record<string, Record<string, unknown>>>());
      await refuseBrokenReferences(db);
      await db.insertInto("migration").values({ position, name, digest, applied_at: Date.now() }).execute();
    });
  } catch (cause) {
    const code = cause instanceof HpsError ? cause.code : "internal";
    const hint = cause instanceof HpsError ? cause.hint : "";
    throw new HpsError(code, `the migration ${name} failed; the store is as it was before it`, { cause, hint });
  }
}

async function refuseBrokenReferences(db: StoreHandle<MigrationTable>): Promise<void> {
  const { rows } = await sql`PRAGMA foreign_key_check`.execute(db);
  if (rows.length > 0) throw new HpsError("internal", `a migration leaves ${rows.length} broken references`);
}

/** No limit of time: rewriting a large table takes what it takes, and nothing is served meanwhile. */
async function inTransaction<T>(
  connection: WorkerConnection,
  fn: (db: StoreHandle<MigrationTable>) => Promise<T>,
): Promise<T> {
  const transaction = new Transaction(connection, "BEGIN IMMEDIATE");
  try {
    const result = await transaction.withHandle(fn);
    await transaction.commit();
    return result;
  } catch (error) {
    transaction.rollback();
    throw error;
  }
}
