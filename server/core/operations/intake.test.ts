import { expect, test } from "vitest";
import { Intake } from "./intake.ts";

test("while one batch is committed, no more than the window waits; then all of it goes as one", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const batches: number[][] = [];
  const intake = new Intake<{ size: number; n: number }>({
    limits: { bytes: 100, items: 4 },
    commit: async (items) => {
      batches.push(items.map(({ n }) => n));
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
    },
    onFailure: () => undefined,
  });
  for (const n of [1, 2, 3, 4]) await intake.offer({ size: 1, n });
  let entered = false;
  const fifth = intake.offer({ size: 1, n: 5 }).then(() => {
    entered = true;
  });
  await new Promise(setImmediate);
  expect(entered).toBe(false);
  gates[0]?.resolve();
  await fifth;
  expect(batches).toEqual([[1], [2, 3, 4, 5]]);
  const big = intake.offer({ size: 101, n: 6 });
  gates[1]?.resolve();
  await new Promise(setImmediate);
  gates[2]?.resolve();
  await big;
  await intake.drained();
  expect(batches).toEqual([[1], [2, 3, 4, 5], [6]]);
});

test("after a failure nothing is committed, nobody waits, and it is told once", async () => {
  const failures: unknown[] = [];
  let commits = 0;
  const intake = new Intake<{ size: number }>({
    limits: { bytes: 10, items: 2 },
    commit: async () => {
      commits += 1;
      throw new Error("no");
    },
    onFailure: (error) => failures.push(error),
  });
  for (let n = 0; n < 20; n += 1) await intake.offer({ size: 5 });
  await intake.drained();
  expect(failures).toHaveLength(1);
  expect(commits).toBe(1);
});
