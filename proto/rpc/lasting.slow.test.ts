/** What only shows after very many messages or calls. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

const MEBIBYTE = 1024 * 1024;

/** What is left after a full collection. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

test("a long stream does not grow the heap of either side", async () => {
  const rig = await startRig({
    chat: async function* (requests) {
      for await (const { count } of requests) {
        yield { count };
      }
    },
  });
  const heaps: number[] = [];
  const source = async function* () {
    for (let count = 0; count < 15_000; count += 1) {
      yield { count };
    }
  };
  for await (const { count } of rig.echo.chat(source())) {
    if (count % 5000 === 4999) {
      heaps.push(heapUsed());
    }
  }
  const [first = 0, , last = 0] = heaps;
  expect(last - first).toBeLessThan(MEBIBYTE);
});

test("1000 calls one after the other leave nothing behind", async () => {
  const { echo, channel, server } = await startRig();
  for (let index = 0; index < 1000; index += 1) {
    await echo.unary({ count: index });
  }
  expect(channel.calls.size).toBe(0);
  expect(server.activeCalls).toBe(0);
  expect(server.connections).toBe(1);
});
