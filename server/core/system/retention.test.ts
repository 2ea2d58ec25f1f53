import { expect, test, vi } from "vitest";
import { changeBounds } from "../../store/changes.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { openInventory } from "../testing/inventory.ts";
import { addTestCluster } from "../testing/open-test-store.ts";
import { keepBounded } from "./retention.ts";

test("what is beyond the limits is forgotten, round after round, also after one that failed", async () => {
  await using test = await openInventory();
  const { store, changes, auditLog, clock, root } = test;
  const lab = await addTestCluster(store);
  const change = async () => await test.clusters.update(actorOfCaller(root), lab, { description: "again" }, "");
  for (let index = 0; index < 20; index += 1) await change();
  const errors: unknown[] = [];
  const stop = new AbortController();
  const faulty = Object.assign(Object.create(auditLog), {
    prune: vi
      .fn(auditLog.prune.bind(auditLog))
      .mockImplementationOnce(() => Promise.reject(new Error("the store is busy"))),
  });
  const limits = { auditMs: 1_000_000, auditEvents: 5, changes: 3 };
  const onError = (error: unknown) => errors.push(error);
  const running = keepBounded({ auditLog: faulty, changes, clock, limits, everyMs: 5, onError }, stop.signal);
  const kept = async () => (await auditLog.list({ clusters: "all", limit: 99 })).events.length;
  const first = async () => (await store.read(changeBounds)).first;
  await vi.waitFor(async () => expect([await kept(), await first()]).toEqual([5, 18]), 20_000);
  expect(errors).toMatchObject([{ message: "the store is busy" }]);
  for (let index = 0; index < 10; index += 1) await change();
  await vi.waitFor(async () => expect([await kept(), await first()]).toEqual([5, 28]), 20_000);
  stop.abort();
  await running;
});
