import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { manyNames } from "../testing/many-names.ts";

/** As the agent reads it, in a heap of so many MiB. */
async function readIn(maxOldGenerationSizeMb: number, raw: Buffer, entries: number): Promise<unknown> {
  const module = new URL("./manifest-bounds.ts", import.meta.url).href;
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.module).then(({ ManifestBounds }) => {
      const bounds = new ManifestBounds({ entries: workerData.entries, contentBytes: 0 }, "os:1");
      try {
        parentPort.postMessage({ read: bounds.read(workerData.raw, () => undefined).entryCount });
      } catch (error) {
        parentPort.postMessage({ code: error.code });
      }
    });`;
  const worker = new Worker(code, {
    ...{ eval: true, workerData: { module, raw, entries } },
    resourceLimits: { maxOldGenerationSizeMb },
  });
  return await new Promise((resolve) => worker.once("message", resolve).once("error", resolve));
}

test("a manifest whose entries would fill the heap is refused, and does not end the agent", async () => {
  const raw = manyNames(6_000_000);
  expect(await readIn(120, raw, 6_000_001)).toEqual({ code: "exhausted" });
  expect(await readIn(120, manyNames(5_000), 5_001)).toEqual({ read: 5_001 });
});
