/** For tests: what a repository function would ask of PostgreSQL, so that each query is proven portable. */
import {
  type CompiledQuery,
  type Dialect,
  DummyDriver,
  NoResultError,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import { HpsError } from "../../proto/values/hps-error.ts";
import { StoreHandle, type Writer } from "./store-handle.ts";

export interface PostgresQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/**
 * Runs `fn` against nothing and returns its queries in PostgreSQL's words. The n-th query is answered with the n-th
 * of `answers` (none: no rows); an HpsError or a missing row ends `fn` early, which is fine. Throws HpsError
 * `invalid` for a query with something only SQLite knows.
 */
export async function compileForPostgres<S>(
  fn: (tx: Writer<S>) => Promise<unknown>,
  answers: readonly (readonly object[])[] = [],
): Promise<readonly PostgresQuery[]> {
  const queries: CompiledQuery[] = [];
  const run = async (asked: readonly CompiledQuery[]) => {
    queries.push(...asked);
    return asked.map((_, index) => ({ rows: [...(answers[queries.length - asked.length + index] ?? [])] }));
  };
  const handle = (): StoreHandle<S> =>
    new StoreHandle<S>(
      run,
      { savepoint: async (inner) => await inner(handle()), afterCommit: () => undefined },
      POSTGRES,
    );
  try {
    await fn(handle());
  } catch (error) {
    if (!(error instanceof NoResultError || error instanceof HpsError)) throw error;
  }
  for (const { sql } of queries) refuseForeignWords(sql);
  return queries.map(({ sql, parameters }) => ({ sql, parameters }));
}

const POSTGRES: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
};

/** Kysely passes raw SQL and some SQLite-only builder calls through as they are. */
const SQLITE_ONLY = [
  /\binsert or (abort|fail|ignore|replace|rollback)\b/i,
  /\breplace into\b/i,
  /\b(pragma|glob|autoincrement|collate nocase)\b/i,
  /\b(rowid|_rowid_|sqlite_schema|sqlite_master)\b/i,
  /\b(ifnull|iif|instr|group_concat|total|randomblob|hex|typeof|printf|last_insert_rowid|total_changes)\s*\(/i,
  /\b(strftime|unixepoch|julianday|datetime|json_each|json_extract|json_object|json_array|json_group_array)\s*\(/i,
  /\?/,
];

function refuseForeignWords(sql: string): void {
  const bare = sql.replaceAll(/'(?:[^']|'')*'/g, "''");
  const found = SQLITE_ONLY.map((pattern) => pattern.exec(bare)?.[0]).find((word) => word !== undefined);
  if (found !== undefined) throw new HpsError("invalid", `"${found}" is SQLite's own, in: ${sql}`);
}
