import { expect, test } from "vitest";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { selectHostIds, selectOperatorKeys, sumKeptRecordings } from "./direct-access.ts";

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  selectOperatorKeys: (tx) => selectOperatorKeys(tx, "c", 1),
  selectHostIds: (tx) => selectHostIds(tx, "c"),
  sumKeptRecordings: (tx) => sumKeptRecordings(tx, "h"),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
