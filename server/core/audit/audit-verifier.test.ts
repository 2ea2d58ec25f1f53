import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../../proto/values/testing/any-character.ts";
import { selectAuditHead } from "../../store/audit-chain.ts";
import { createGroupCommit } from "../../store/group-commit.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { Audit, type AuditSubject } from "./audit.ts";
import { AuditLog } from "./audit-log.ts";
import { AuditVerifier } from "./audit-verifier.ts";

const GATE = { actor: "mac:52:54:00:12:34:56", action: "boot.script", address: "192.0.2.7" };

async function openLog() {
  const store = await openTestStore();
  let now = 1_000;
  const audit = new Audit(store, () => now++);
  const verifier = new AuditVerifier(store);
  const { signal } = new AbortController();
  return {
    ...{ store, audit, log: new AuditLog(store, audit.written) },
    add: async (count: number, subject: AuditSubject = {}) =>
      await store.write(async (tx) => {
        await Promise.all(Array.from({ length: count }, () => audit.allowed(tx, GATE, subject)));
      }),
    verify: async (head = "") => await verifier.verify(head, signal),
    head: async () => (await store.read(selectAuditHead)).digest,
    change: async (statement: string) => await store.write(async (tx) => void (await sql.raw(statement).execute(tx))),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}

test("an empty log is whole, and so is one of many pages; its head is found again in what comes later", async () => {
  await using test = await openLog();
  expect(await test.verify()).toEqual({ events: 0, first: 0, last: 0, head: "", breaks: [], found: 0 });
  await test.add(1_234);
  const before = await test.verify();
  expect(before).toMatchObject({ events: 1_234, first: 1, last: 1_234, breaks: [], found: 0 });
  expect(before.head).toMatch(/^sha256:[0-9a-f]{64}$/);
  await test.add(3);
  expect(await test.verify(before.head)).toMatchObject({ events: 1_237, breaks: [], found: 1_234 });
  expect(await test.verify(`sha256:${"0".repeat(64)}`)).toMatchObject({ breaks: [], found: 0 });
});

test.each([
  ["who did it", "UPDATE audit SET actor = 'mallory' WHERE sequence = 5", [5]],
  ["when", "UPDATE audit SET at = at + 1 WHERE sequence = 5", [5]],
  ["the outcome", "UPDATE audit SET outcome = 'refused' WHERE sequence = 5", [5]],
  ["a detail", `UPDATE audit SET details_json = '{"a":"c"}' WHERE sequence = 5`, [5]],
  ["the cluster", "UPDATE audit SET cluster_id = 'c' WHERE sequence = 5", [5]],
  ["the digest", `UPDATE audit SET digest = 'sha256:${"0".repeat(64)}' WHERE sequence = 5`, [5, 6]],
  ["one in the middle", "DELETE FROM audit WHERE sequence = 5", [6]],
  ["the first", "DELETE FROM audit WHERE sequence = 1", [2]],
] as const)("a log in which %s was changed is broken there", async (_what, statement, broken) => {
  await using test = await openLog();
  await test.add(10, { reason: "why", details: { a: "b" } });
  await test.change(statement);
  const { breaks } = await test.verify();
  expect(breaks.map(({ sequence }) => sequence)).toEqual(broken);
});

test("what was taken from the end is seen by whoever kept the head", async () => {
  await using test = await openLog();
  await test.add(10);
  const head = await test.head();
  await test.change("DELETE FROM audit WHERE sequence > 7");
  expect(await test.verify(head)).toMatchObject({ last: 7, breaks: [], found: 0 });
});

test("retention leaves a chain that is whole from the first event kept, and finds the last one it took", async () => {
  await using test = await openLog();
  await test.add(5);
  const taken = await test.head();
  await test.add(20);
  expect(await test.log.prune(0, 20)).toBe(5);
  expect(await test.verify(taken)).toMatchObject({ events: 20, first: 6, breaks: [], found: 5 });
  await test.change("DELETE FROM audit WHERE sequence = 6");
  expect((await test.verify()).breaks).toMatchObject([{ sequence: 7 }]);
});

test("an event that a wrong clock put years ahead does not tear the chain", async () => {
  await using test = await openLog();
  await test.add(3);
  await test.change("UPDATE audit SET at = 9000000000000 WHERE sequence = 2");
  expect(await test.log.prune(5_000, 1_000)).toBe(1);
  expect((await test.verify()).first).toBe(2);
});

test("savepoints that are undone, jobs at one time and a whole transaction that is undone leave one chain", async () => {
  await using test = await openLog();
  const failed = async () => await Promise.reject(new Error("undo"));
  await test.store.write(async (tx) => {
    await test.audit.allowed(tx, GATE, { target: "a" });
    await tx.savepoint(async (inner) => await test.audit.allowed(inner, GATE, { target: "b" }));
    await tx
      .savepoint(async (inner) => {
        await test.audit.allowed(inner, GATE, { target: "undone" });
        await failed();
      })
      .catch(() => undefined);
    await test.audit.allowed(tx, GATE, { target: "c" });
  });
  await expect(
    test.store.write(async (tx) => {
      await test.audit.allowed(tx, GATE, { target: "undone" });
      await failed();
    }),
  ).rejects.toThrow("undo");
  const commits = createGroupCommit(test.store);
  const jobs = Array.from({ length: 40 }, async (_, index) => {
    const job = commits.submit(
      async (tx) => {
        await test.audit.allowed(tx, GATE, { target: `${index}` });
        if (index % 7 === 3) await failed();
      },
      String(index % 10),
    );
    await job.catch(() => undefined);
  });
  await Promise.all(jobs);
  expect(await test.verify()).toMatchObject({ events: 3 + 34, first: 1, last: 37, breaks: [] });
});

test("whatever text an event holds, it is read as it was digested", async () => {
  await using test = await openLog();
  const anything = fc.string({ unit: ANY_CHARACTER });
  const subjects = fc.record({ target: anything, reason: anything, details: fc.dictionary(anything, anything) });
  await test.store.write(async (tx) => {
    for (const { target, reason, details } of fc.sample(subjects, 500)) {
      await test.audit.allowed(tx, GATE, { target: `${target}\ud83d`, reason: `\0${reason}`, details });
    }
  });
  expect(await test.verify()).toMatchObject({ events: 500, breaks: [] });
});
