import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createGroupCommit } from "./group-commit.ts";
import type { Store } from "./open-store.ts";
import { openSample, type SampleSchema, sampleFolder } from "./sample-store.ts";
import type { Writer } from "./store-handle.ts";

const add = (id: number) => async (tx: Writer<SampleSchema>) => {
  await tx.insertInto("machine").values({ id, rack: "r1", note: null, blob: null, big: null }).execute();
  return id;
};

async function ids(store: Store<SampleSchema>): Promise<number[]> {
  const rows = await store.read(async (db) => await db.selectFrom("machine").select("id").orderBy("id").execute());
  return rows.map(({ id }) => id);
}

/** The same store, counting its transactions. */
function counting(store: Store<SampleSchema>): { readonly counted: Store<SampleSchema>; writes(): number } {
  let writes = 0;
  const counted = new Proxy(store, {
    get(target, key) {
      if (key === "write") writes += 1;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { counted, writes: () => writes };
}

const range = (length: number) => Array.from({ length }, (_, index) => index + 1);

test("jobs submitted together share a few commits and each gets its own answer", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const { counted, writes } = counting(store);
  const group = createGroupCommit(counted, { maxBatch: 50 });
  expect(await Promise.all(range(200).map((id) => group.submit(add(id))))).toEqual(range(200));
  expect(await ids(store)).toEqual(range(200));
  expect(writes()).toBe(4);
});

test("a failing job loses only itself, with its callbacks", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const { counted, writes } = counting(store);
  const group = createGroupCommit(counted);
  const told: number[] = [];
  const outcomes = await Promise.allSettled(
    range(9).map((id) =>
      group.submit(async (tx) => {
        tx.afterCommit(() => told.push(id));
        await add(id)(tx);
        if (id % 3 === 0) throw new HpsError("invalid", `not ${id}`);
        if (id % 3 === 1) await add(1000)(tx).catch(() => undefined);
      }),
    ),
  );
  expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual(range(9).map((id) => id % 3 !== 0));
  expect(told).toEqual([1, 2, 4, 5, 7, 8]);
  expect(await ids(store)).toEqual([1, 2, 4, 5, 7, 8, 1000]);
  expect(writes()).toBe(1);
});

test("a job that spoils the shared commit fails alone; the others are done without it", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const group = createGroupCommit(store);
  const told: number[] = [];
  const outcomes = await Promise.allSettled(
    range(4).map((id) =>
      group.submit(async (tx) => {
        tx.afterCommit(() => told.push(id));
        // Checked at commit only, so no savepoint sees it.
        if (id === 2) await deferOrphan(tx);
        return await add(id)(tx);
      }),
    ),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { kind: "foreign-key" } });
  expect(told).toEqual([1, 3, 4]);
  expect(await ids(store)).toEqual([1, 3, 4]);
});

async function deferOrphan(tx: Writer<SampleSchema>): Promise<void> {
  const { sql } = await import("kysely");
  await sql`PRAGMA defer_foreign_keys = ON`.execute(tx);
  await tx.insertInto("machine").values({ id: 77, rack: "none", note: null, blob: null, big: null }).execute();
}

test("a full queue and a submit inside a transaction are refused at once", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const group = createGroupCommit(store, { maxQueued: 2 });
  const first = [group.submit(add(1)), group.submit(add(2))];
  await expect(group.submit(add(3))).rejects.toMatchObject({ code: "unavailable", message: "the store is busy" });
  await Promise.all(first);
  const nested = store.write(async () => await group.submit(add(4)));
  await expect(nested).rejects.toMatchObject({
    code: "internal",
    message: expect.stringMatching(/inside a transaction/),
  });
  expect(await group.submit(add(5))).toBe(5);
});

const lengthen = (id: number) => async (tx: Writer<SampleSchema>) => {
  const { note } = await tx.selectFrom("machine").select("note").where("id", "=", id).executeTakeFirstOrThrow();
  await tx
    .updateTable("machine")
    .set({ note: `${note ?? id}+` })
    .where("id", "=", id)
    .execute();
  return note;
};

test("jobs of different subjects run at one time, those of one subject one after the other", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const { counted, writes } = counting(store);
  const group = createGroupCommit(counted);
  await Promise.all(range(3).map((id) => group.submit(add(id))));
  const seen = await Promise.all([1, 2, 1, 3, 1].map((id) => group.submit(lengthen(id), String(id))));
  expect(seen).toEqual([null, null, "1+", null, "1++"]);
  expect(writes()).toBe(2);
});

test("of jobs that ran at one time a failing one loses only itself", async () => {
  await using folder = await sampleFolder();
  await using store = await openSample(folder.file);
  const group = createGroupCommit(store);
  const told: number[] = [];
  const outcomes = await Promise.allSettled(
    range(9).map((id) =>
      group.submit(async (tx) => {
        tx.afterCommit(() => told.push(id));
        await add(id)(tx);
        if (id % 3 === 0) throw new HpsError("invalid", `not ${id}`);
      }, String(id)),
    ),
  );
  expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual(range(9).map((id) => id % 3 !== 0));
  expect(told).toEqual([1, 2, 4, 5, 7, 8]);
  expect(await ids(store)).toEqual([1, 2, 4, 5, 7, 8]);
});
