import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EndOfInputSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { AgentFeed } from "./agent-feed.ts";

function input(bytes: number) {
  return { case: "input", value: new Uint8Array(bytes) } as const;
}

test("what is recorded goes before what waits for the program, not for every byte", async () => {
  const feed = new AgentFeed();
  await feed.put(input(1));
  feed.recorded(100);
  expect(await feed.next()).toMatchObject({ value: { case: "input" } });
  await feed.put(input(1));
  feed.recorded(40_000);
  expect(await feed.next()).toEqual({ done: false, value: { case: "recorded", value: 40_000n } });
  feed.recorded(40_001);
  expect(await feed.next()).toMatchObject({ value: { case: "input" } });
  const next = feed.next();
  feed.recorded(80_000);
  expect(await next).toEqual({ done: false, value: { case: "recorded", value: 80_000n } });
});

test("who sends waits for room, and is told when nobody wants it any more", async () => {
  const feed = new AgentFeed();
  let count = 0;
  const sending = (async () => {
    while (await feed.put(input(64 * 1024))) count += 1;
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(count).toBe(8);
  expect(feed.size).toBeLessThan(600 * 1024);
  await feed.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(count).toBe(9);
  await feed.return();
  await sending;
  expect([feed.size, await feed.next(), await feed.put(input(1))]).toEqual([
    0,
    { done: true, value: undefined },
    false,
  ]);
});

test("an agent cannot take what it was not sent, nor give back what it took", async () => {
  const feed = new AgentFeed();
  await feed.put(input(10));
  expect(() => feed.inputTaken(1n)).toThrow("of 0 sent");
  await feed.next();
  feed.inputTaken(10n);
  for (const bytes of [9n, 11n, 2n ** 63n]) expect(() => feed.inputTaken(bytes)).toThrow("are said to be taken");
});

test("input goes ahead of the program only so far; signals and sizes pass it, its end does not", async () => {
  const feed = new AgentFeed();
  for (let count = 0; count < 5; count += 1) await feed.put(input(64 * 1024));
  await feed.put({ case: "endOfInput", value: create(EndOfInputSchema) });
  await feed.put({ case: "signal", value: 2 });
  const kinds: (string | undefined)[] = [];
  for (let count = 0; count < 5; count += 1) kinds.push((await feed.next()).value?.case);
  expect(kinds).toEqual(["input", "input", "input", "input", "signal"]);
  const next = feed.next();
  feed.recorded(40_000);
  expect(await next).toMatchObject({ value: { case: "recorded" } });
  const held = feed.next();
  feed.inputTaken(64n * 1024n);
  expect(await held).toMatchObject({ value: { case: "input" } });
  feed.inputTaken(5n * 64n * 1024n);
  expect(await feed.next()).toMatchObject({ value: { case: "endOfInput" } });
});
