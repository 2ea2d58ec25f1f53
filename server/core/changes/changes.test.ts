import { expect, test } from "vitest";
import { openTestStore } from "../testing/open-test-store.ts";
import { Changes } from "./changes.ts";
import { Wakes } from "./wakes.ts";

async function openChanges() {
  const store = await openTestStore();
  const changes = new Changes(store, Date.now);
  const note = async (...ids: string[]) =>
    await store.write(async (tx) => {
      for (const objectId of ids) await changes.note(tx, { kind: "host", objectId, clusterId: "c", deleted: false });
    });
  return { store, changes, note, [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]() };
}

async function take(source: AsyncGenerator<{ readonly objectId: string; readonly sequence: number }>, count: number) {
  const ids: string[] = [];
  while (ids.length < count) {
    const { value } = await source.next();
    if (!value) break;
    ids.push(`${value.sequence} ${value.objectId}`);
  }
  return ids;
}

test("what was is replayed in order, then what comes is told, and nothing twice", async () => {
  await using feed = await openChanges();
  await feed.note("a", "b", "c");
  const stop = new AbortController();
  const followed = feed.changes.follow(1, stop.signal);
  expect(await take(followed, 2)).toEqual(["2 b", "3 c"]);
  const waiting = take(followed, 2);
  await feed.note("d");
  await feed.note("e");
  expect(await waiting).toEqual(["4 d", "5 e"]);
  expect(await feed.changes.last()).toBe(5);
});

test("a change that is undone is not told", async () => {
  await using feed = await openChanges();
  const followed = feed.changes.follow(0, new AbortController().signal);
  const waiting = take(followed, 1);
  const undone = feed.store.write(async (tx) => {
    await feed.changes.note(tx, { kind: "host", objectId: "ghost", clusterId: null, deleted: false });
    throw new Error("undo");
  });
  await expect(undone).rejects.toThrow("undo");
  await feed.note("real");
  expect(await waiting).toEqual(["1 real"]);
});

test("many writers and many readers: each reader hears each change once, in order", async () => {
  await using feed = await openChanges();
  const stop = new AbortController();
  const readers = Array.from({ length: 5 }, () => take(feed.changes.follow(0, stop.signal), 60));
  await Promise.all(Array.from({ length: 60 }, (_, index) => feed.note(`h${index}`)));
  const heard = await Promise.all(readers);
  for (const ids of heard) {
    expect(ids).toEqual(heard[0]);
    expect(new Set(ids).size).toBe(60);
  }
});

test("the wait ends with its signal, also one that was aborted before", async () => {
  await using feed = await openChanges();
  const stop = new AbortController();
  const waiting = feed.changes.follow(0, stop.signal).next();
  stop.abort();
  expect(await waiting).toMatchObject({ done: true });
  expect(await feed.changes.follow(0, stop.signal).next()).toMatchObject({ done: true });
  const wakes = new Wakes();
  await wakes.next(wakes.count, stop.signal);
});

test("a wake between looking and waiting is not slept through", async () => {
  const wakes = new Wakes();
  const seen = wakes.count;
  wakes.wake();
  await wakes.next(seen, new AbortController().signal);
});

test("what is no longer kept is out of range, also for a reader that was too slow", async () => {
  await using feed = await openChanges();
  await feed.note(...Array.from({ length: 3_000 }, (_, index) => `h${index}`));
  const slow = feed.changes.follow(0, new AbortController().signal);
  expect(await take(slow, 1)).toEqual(["1 h0"]);
  expect(await feed.changes.prune(10)).toBe(2_990);
  expect(await feed.changes.prune(10)).toBe(0);
  await expect(take(slow, 3_000)).rejects.toMatchObject({ code: "out-of-range" });
  const signal = AbortSignal.timeout(20_000);
  await expect(feed.changes.follow(2_989, signal).next()).rejects.toMatchObject({ code: "out-of-range" });
  await expect(feed.changes.follow(3_001, signal).next()).rejects.toMatchObject({ code: "out-of-range" });
  expect(await take(feed.changes.follow(2_990, signal), 1)).toEqual(["2991 h2990"]);
});

test("numbers are never given twice, however few are kept", async () => {
  await using feed = await openChanges();
  await feed.note("a", "b");
  await feed.changes.prune(0);
  await feed.note("c");
  expect(await feed.changes.last()).toBe(3);
});
