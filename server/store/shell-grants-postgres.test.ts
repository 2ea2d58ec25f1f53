import { expect, test } from "vitest";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import {
  countShellGrants,
  deleteShellGrant,
  insertShellGrant,
  locateShellGrant,
  type NewShellGrant,
  pruneShellGrants,
  selectLiveGrants,
  selectShellGrant,
  selectShellGrants,
} from "./shell-grants.ts";

const GRANT: NewShellGrant = {
  ...{ id: "g", clusterId: "c", to: { role: "viewer" }, on: { tags: new Map([["rack", "r1"]]) }, permission: "enter" },
  ...{ expiresAt: 2, reason: "", createdBy: "alice", createdAt: 1 },
};

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertShellGrant: (tx) => insertShellGrant(tx, GRANT),
  selectShellGrant: (tx) => selectShellGrant(tx, "g"),
  selectShellGrants: (tx) => selectShellGrants(tx, { clusters: ["c"], before: { createdAt: 1, id: "g" }, limit: 1 }),
  selectLiveGrants: (tx) => selectLiveGrants(tx, "c", 1),
  countShellGrants: (tx) => countShellGrants(tx, "c"),
  deleteShellGrant: (tx) => deleteShellGrant(tx, "g"),
  pruneShellGrants: (tx) => pruneShellGrants(tx, "c", 1),
  locateShellGrant: (tx) => locateShellGrant(tx, "g"),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
