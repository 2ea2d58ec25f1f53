import { expect, test } from "vitest";
import {
  insertClaim,
  selectClaim,
  selectPendingClaim,
  setClaimApproved,
  setClaimFetched,
  setClaimPending,
  setClaimSpent,
  voidClaims,
} from "./claims.ts";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { gateView, gateViewByMac } from "./gate-view.ts";

const CLAIM = {
  ...{ id: "c", installationId: "i", hostId: "h", mac: "52:54:00:00:00:01", address: "10.0.0.9" },
  ...{ issuedAt: 1, expiresAt: 2 },
};
const PENDING = { at: 1, address: "10.0.0.9", facts: null };

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertClaim: (tx) => insertClaim(tx, CLAIM),
  selectClaim: (tx) => selectClaim(tx, { tokenHash: "h" }),
  selectPendingClaim: (tx) => selectPendingClaim(tx, "i"),
  setClaimFetched: (tx) => setClaimFetched(tx, "c", 1, "h"),
  setClaimPending: (tx) => setClaimPending(tx, "c", "k", PENDING),
  setClaimApproved: (tx) => setClaimApproved(tx, "c", 1, "alice"),
  setClaimSpent: (tx) => setClaimSpent(tx, "c", "k", "s"),
  voidClaims: (tx) => voidClaims(tx, "i", 1, "newer claim"),
  gateView: (tx) => gateView(tx, "h"),
  gateViewByMac: (tx) => gateViewByMac(tx, "52:54:00:00:00:01"),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
