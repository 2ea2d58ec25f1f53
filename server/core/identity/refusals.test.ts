import { expect, test } from "vitest";
import { selectAudit } from "../../store/audit.ts";
import { Audit } from "../audit/audit.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { Refusals } from "./refusals.ts";

test("the first refusals of a peer and action are an event each, the rest of the minute one that counts them", async () => {
  await using store = await openTestStore();
  let now = 1_000_000;
  const refusals = new Refusals(new Audit(store, () => now), () => now, { each: 3, pairs: 2, all: 100 });
  const who = { actor: "address:192.0.2.1", action: "a", address: "192.0.2.1" };
  const shown: string[] = [];
  for (let count = 0; count < 8; count += 1) shown.push(await refusals.refused(who, { reason: "no" }));
  await refusals.refused({ ...who, action: "b" }, { reason: "no" });
  const events = () => store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));
  expect(await events()).toHaveLength(4);
  expect(new Set(shown.slice(3)).size).toBe(1);
  now += 60_000;
  await refusals.refused({ ...who, action: "c" }, { reason: "no" });
  const summary = (await events()).find(({ incident }) => incident === shown[7]);
  expect(summary).toMatchObject({ actor: who.actor, reason: "5 more: no", details: { count: "5" } });
  expect(await events()).toHaveLength(6);
});

test("however many peers there are, what is kept is bounded", async () => {
  await using store = await openTestStore();
  const refusals = new Refusals(new Audit(store, Date.now), Date.now, { each: 1, pairs: 3, all: 100 });
  for (let peer = 0; peer < 20; peer += 1) {
    await refusals.refused({ actor: `address:${peer}`, action: "a", address: String(peer) }, { reason: "no" });
  }
  await refusals.flush();
  const events = await store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));
  expect(events.map(({ details }) => Number(details.count ?? 1)).reduce((sum, count) => sum + count)).toBe(20);
  expect(events).toHaveLength(5);
});

test("all peers together fill no more of the log than they may, and none goes uncounted", async () => {
  await using store = await openTestStore();
  const refusals = new Refusals(new Audit(store, Date.now), Date.now, { each: 10, pairs: 3, all: 5 });
  for (let round = 0; round < 20; round += 1) {
    const address = String(round % 3);
    await refusals.refused({ actor: `address:${address}`, action: "a", address }, { reason: "no" });
  }
  await refusals.flush();
  const events = await store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));
  expect(events.map(({ details }) => Number(details.count ?? 1)).reduce((sum, count) => sum + count)).toBe(20);
  expect(events).toHaveLength(5 + 3);
});
