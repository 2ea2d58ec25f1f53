import { expect, test } from "vitest";
import type { AuditRecord } from "../../store/audit.ts";
import { addTestCluster, openTestStore } from "../testing/open-test-store.ts";
import { Audit, type AuditSubject, newIncident } from "./audit.ts";
import { AuditLog, FROM_NOW } from "./audit-log.ts";

const GATE = { actor: "mac:52:54:00:12:34:56", action: "boot.script", address: "192.0.2.7" };

async function openLog() {
  const store = await openTestStore();
  let now = 1_000;
  const audit = new Audit(store, () => now++);
  const log = new AuditLog(store, audit.written);
  const lab = await addTestCluster(store, "lab");
  const [a, b] = ["a", "b"].map((name) => `cluster-${name}`);
  const allow = async (...subjects: AuditSubject[]) =>
    await store.write(async (tx) => {
      for (const subject of subjects) await audit.allowed(tx, GATE, subject);
    });
  return { store, audit, log, lab, a, b, allow, [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]() };
}

const targets = (events: readonly AuditRecord[]) => events.map(({ target }) => target);

async function take(source: AsyncGenerator<AuditRecord>, count: number) {
  const found: AuditRecord[] = [];
  while (found.length < count) {
    const { value } = await source.next();
    if (!value) break;
    found.push(value);
  }
  return targets(found);
}

test("an event has who, what, on whom, from where, outcome and why", async () => {
  await using test = await openLog();
  const subject = { target: "host:h", clusterId: test.lab, reason: "unknown MAC", details: { "007": "1.10\n\u202e" } };
  const incident = await test.audit.refused(GATE, subject);
  const { events } = await test.log.list({ clusters: "all", limit: 10 });
  expect(events).toEqual([
    { ...GATE, ...subject, cluster: "lab", outcome: "refused", incident, sequence: 1, at: 1_000 },
  ]);
});

test("an event goes with its change, or neither is there", async () => {
  await using test = await openLog();
  const undone = test.store.write(async (tx) => {
    await test.audit.allowed(tx, GATE, { target: "host:h" });
    throw new Error("undo");
  });
  await expect(undone).rejects.toThrow("undo");
  expect(await test.log.list({ clusters: "all", limit: 10 })).toEqual({ events: [] });
});

test("newest first, page by page, the same however many come between", async () => {
  await using test = await openLog();
  await test.allow(...["1", "2", "3", "4", "5"].map((target) => ({ target })));
  const first = await test.log.list({ clusters: "all", limit: 2 });
  await test.allow({ target: "6" });
  const second = await test.log.list({ clusters: "all", limit: 2, before: first.next ?? 0 });
  const third = await test.log.list({ clusters: "all", limit: 2, before: second.next ?? 0 });
  expect([first, second, third].map(({ events }) => targets(events))).toEqual([["5", "4"], ["3", "2"], ["1"]]);
  expect(third.next).toBeUndefined();
});

test("who sees some clusters sees neither those of others nor those of none", async () => {
  await using test = await openLog();
  const { a = "", b = "" } = test;
  await test.allow({ target: "1", clusterId: a }, { target: "2", clusterId: b }, { target: "3" });
  const list = async (clusters: "all" | string[]) => targets((await test.log.list({ clusters, limit: 9 })).events);
  expect(await list("all")).toEqual(["3", "2", "1"]);
  expect(await list([a])).toEqual(["1"]);
  expect(await list([a, b])).toEqual(["2", "1"]);
  expect(await list([])).toEqual([]);
  const watched = test.log.watch([b], 0, new AbortController().signal);
  expect(await take(watched, 1)).toEqual(["2"]);
  const waiting = take(watched, 1);
  await test.allow({ target: "4", clusterId: a }, { target: "5" });
  await test.allow({ target: "6", clusterId: b });
  expect(await waiting).toEqual(["6"]);
});

test("each filter narrows", async () => {
  await using test = await openLog();
  await test.allow({ target: "host:1" }, { target: "host:2" });
  const incident = await test.audit.refused({ ...GATE, actor: "hpsd" }, { target: "host:1" });
  const list = async (query: object) => {
    const { events } = await test.log.list({ clusters: "all", limit: 9, ...query });
    return events.map(({ sequence }) => sequence);
  };
  expect(await list({ target: "host:1" })).toEqual([3, 1]);
  expect(await list({ target: "host:" })).toEqual([]);
  expect(await list({ actor: "hpsd" })).toEqual([3]);
  expect(await list({ outcome: "allowed" })).toEqual([2, 1]);
  expect(await list({ incident })).toEqual([3]);
  expect(await list({ from: 1_001 })).toEqual([3, 2]);
  expect(await list({ from: 1_001, to: 1_002 })).toEqual([2]);
  expect(await list({ target: "host:1", outcome: "allowed" })).toEqual([1]);
});

test("a watch replays, follows, and from -1 tells only what comes", async () => {
  await using test = await openLog();
  await test.allow(...Array.from({ length: 1_203 }, (_, index) => ({ target: `${index + 1}` })));
  const { signal } = new AbortController();
  expect((await take(test.log.watch("all", 0, signal), 1_203)).at(-1)).toBe("1203");
  const late = take(test.log.watch("all", 1_201, signal), 3);
  const only = test.log.watch("all", FROM_NOW, signal);
  const waiting = take(only, 1);
  await test.audit.refused(GATE, { target: "refused" });
  expect(await late).toEqual(["1202", "1203", "refused"]);
  const told: string[] = [];
  void waiting.then((targets) => told.push(...targets));
  // The watch begins at a moment nobody sees: there is something to tell until it has begun.
  while (told.length === 0) await test.allow({ target: "more" });
  expect(["refused", "more"]).toContain(told[0]);
});

test("a watch ends with its signal", async () => {
  await using test = await openLog();
  const stop = new AbortController();
  const waiting = test.log.watch("all", 0, stop.signal).next();
  stop.abort();
  expect(await waiting).toMatchObject({ done: true });
});

test("the oldest are forgotten by age and by count, but never the newest", async () => {
  await using test = await openLog();
  await test.allow(...Array.from({ length: 2_500 }, (_, index) => ({ target: `${index + 1}` })));
  expect(await test.log.prune(1_100, 1_000_000)).toBe(100);
  expect(await test.log.prune(0, 50)).toBe(2_350);
  expect(targets((await test.log.list({ clusters: "all", limit: 99 })).events).at(-1)).toBe("2451");
  const { signal } = new AbortController();
  expect(await take(test.log.watch("all", 0, signal), 1)).toEqual(["2451"]);
  for (const after of [1, 2_449, 2_501]) {
    await expect(test.log.watch("all", after, signal).next()).rejects.toMatchObject({ code: "out-of-range" });
  }
  await expect(test.log.watch("all", -2, signal).next()).rejects.toMatchObject({ code: "invalid" });
  expect(await test.log.prune(Date.now(), 0)).toBe(49);
  await test.allow({ target: "next" });
  expect((await test.log.list({ clusters: "all", limit: 1 })).events[0]?.sequence).toBe(2_501);
});

test("incidents are short, plain and different", () => {
  const incidents = Array.from({ length: 1_000 }, newIncident);
  expect(new Set(incidents).size).toBe(1_000);
  expect(incidents.every((incident) => /^[a-hjkmnp-z2-9]{8}$/.test(incident))).toBe(true);
});
