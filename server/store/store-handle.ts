/** What code above the store passes about: a transaction to read in, or to read and write in. */
import {
  type CompiledQuery,
  type ConnectionProvider,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  DummyDriver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { HpsError } from "../../proto/values/hps-error.ts";

type Reading = "selectFrom" | "selectNoFrom" | "with" | "withRecursive" | "fn" | "case" | "dynamic" | "getExecutor";
type Writing = "insertInto" | "updateTable" | "deleteFrom";

/** One consistent snapshot. A Writer is a Reader too, so what only reads takes a Reader. */
export type Reader<S> = Pick<Kysely<S>, Reading>;

/** A query builder that was not executed. */
export interface Compilable {
  compile(): CompiledQuery;
}

export interface TransactionSteps<S> {
  /** Several statements, in order, for the price of one message; the first failure stops the rest. */
  batch(queries: readonly Compilable[]): Promise<QueryResult<unknown>[]>;
  /**
   * Runs `fn` so that its failure undoes only what it did. This handle cannot be used while `fn` runs.
   * What `fn` gave to `afterCommit` is forgotten too when it fails.
   */
  savepoint<T>(fn: (tx: Writer<S>) => Promise<T>): Promise<T>;
  /** Called, in order, once the change is durable, and never otherwise. Must be quick and must not throw. */
  afterCommit(fn: () => void): void;
}

/** A transaction that is committed, durably, when the function it was given to returns. */
export type Writer<S> = Pick<Kysely<S>, Reading | Writing> & TransactionSteps<S>;

/** What a migration works with: any table by name, and the schema. */
export type SchemaWriter = Pick<Kysely<Record<string, Record<string, unknown>>>, Reading | Writing | "schema">;

/** Where a handle's statements go; throws when the handle has ended. */
type RunQueries = (queries: readonly CompiledQuery[]) => Promise<QueryResult<unknown>[]>;

/** A Kysely over one transaction. It makes no connection and no transaction of its own. */
export class StoreHandle<S> extends Kysely<S> {
  readonly #run: RunQueries;
  readonly #steps: Omit<TransactionSteps<S>, "batch">;

  constructor(run: RunQueries, steps: Omit<TransactionSteps<S>, "batch">, dialect: Dialect = SQLITE) {
    const executor = new DefaultQueryExecutor(dialect.createQueryCompiler(), dialect.createAdapter(), providerOf(run));
    super({ config: { dialect }, dialect, driver: dialect.createDriver(), executor });
    this.#run = run;
    this.#steps = steps;
  }

  async batch(queries: readonly Compilable[]): Promise<QueryResult<unknown>[]> {
    return await this.#run(queries.map((query) => query.compile()));
  }

  async savepoint<T>(fn: (tx: Writer<S>) => Promise<T>): Promise<T> {
    return await this.#steps.savepoint(fn);
  }

  afterCommit(fn: () => void): void {
    this.#steps.afterCommit(fn);
  }
}

const COMPILER = new SqliteQueryCompiler();
const ADAPTER = new SqliteAdapter();
const DRIVER = new DummyDriver();
const SQLITE: Dialect = {
  createAdapter: () => ADAPTER,
  createDriver: () => DRIVER,
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => COMPILER,
};

function providerOf(run: RunQueries): ConnectionProvider {
  const connection: DatabaseConnection = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const [result] = await run([query]);
      // Kysely's boundary: the row type comes from the query builder, not from here.
      return result as QueryResult<R>;
    },
    streamQuery() {
      throw new HpsError("unimplemented", "the store does not stream rows; read in pages");
    },
  };
  return { provideConnection: async (consumer) => await consumer(connection) };
}
