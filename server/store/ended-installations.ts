import type { ExpressionBuilder } from "kysely";
import type { Db } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

/**
 * Ended installations to forget: those that ended before `at`, and all but the newest `keep`. Oldest first. Never the last that
 * succeeded on a host that is there: from its id comes how that host's disk is found.
 */
export async function selectForgettable(
  db: Db,
  { at, keep, limit }: { readonly at: number; readonly keep: number; readonly limit: number },
): Promise<string[]> {
  const ended = db
    .selectFrom("installation")
    .select("id")
    .where("outcome", "!=", "open")
    .where((eb) => eb.not(eb.exists(hostOnDiskOf(eb))));
  const surplus = await ended.orderBy("id", "desc").offset(keep).limit(1).executeTakeFirst();
  const rows = await ended
    .where((eb) => eb.or([eb("ended_at", "<", at), ...(surplus ? [eb("id", "<=", surplus.id)] : [])]))
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

type OfInstallation = ExpressionBuilder<Tables, "installation">;

/** The host whose disk this installation wrote last. */
function hostOnDiskOf(eb: OfInstallation) {
  const last = eb
    .selectFrom("installation as later")
    .select(({ fn }) => fn.max("later.id").as("id"))
    .whereRef("later.host_id", "=", "installation.host_id")
    .where("later.outcome", "=", "succeeded")
    .where("later.rescue", "=", 0);
  return eb
    .selectFrom("host")
    .select("host.id")
    .whereRef("host.id", "=", "installation.host_id")
    .where("installation.id", "=", last);
}
