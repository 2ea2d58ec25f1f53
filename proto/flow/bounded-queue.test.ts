import { expect, test } from "vitest";
import { BoundedQueue } from "./bounded-queue.ts";

const OVERHEAD = 64;

function textQueue(capacity: number): BoundedQueue<string> {
  return new BoundedQueue<string>({ capacity, sizeOf: (text) => text.length });
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol("waiting");
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(waiting)])) !== waiting;
}

test("what goes in comes out in order, then the end", async () => {
  const queue = textQueue(1000);
  await queue.put("a");
  await queue.put("b");
  queue.end();
  const all: string[] = [];
  for await (const item of queue) all.push(item);
  expect(all).toEqual(["a", "b"]);
  expect(queue.size).toBe(0);
  expect(await queue.put("late")).toBe(false);
});

test("a producer waits while the queue is full, an empty item counts too", async () => {
  const queue = textQueue(2 * OVERHEAD);
  await queue.put("");
  await queue.put("");
  const third = queue.put("");
  expect(await settled(third)).toBe(false);
  expect(queue.size).toBe(2 * OVERHEAD);
  await queue.next();
  expect(await third).toBe(true);
});

test("many producers never put in more than one item above the capacity each time there is room", async () => {
  const queue = textQueue(OVERHEAD + 1);
  const puts = ["a", "b", "c", "d"].map((text) => queue.put(text));
  let most = 0;
  for (let count = 0; count < 4; count += 1) {
    most = Math.max(most, queue.size);
    await queue.next();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(puts);
  expect(most).toBeLessThanOrEqual(2 * (OVERHEAD + 1));
});

test("an error comes after what is held", async () => {
  const queue = textQueue(1000);
  await queue.put("a");
  queue.end(new Error("broken"));
  expect(await queue.next()).toEqual({ done: false, value: "a" });
  await expect(queue.next()).rejects.toThrow("broken");
});

test("a consumer that leaves frees its producers", async () => {
  const queue = textQueue(1);
  await queue.put("a");
  const second = queue.put("b");
  await queue.return();
  expect(await second).toBe(false);
  expect(queue.size).toBe(0);
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test("an end wakes a waiting consumer", async () => {
  const queue = textQueue(1);
  const next = queue.next();
  queue.end();
  expect(await next).toEqual({ done: true, value: undefined });
});
