import { rm } from "node:fs/promises";
import { expect, test } from "vitest";
import { startHpsd } from "./real-hpsd.ts";
import { noiseFile, ShellLoad } from "./shell-load.ts";

const MEBI = 2 ** 20;

test("noise through a command comes back whole, past a reader that stops, and nobody else waits", async () => {
  await using hpsd = await startHpsd();
  const { file, digest } = await noiseFile(hpsd.folder, 48);
  const load = await ShellLoad.start(hpsd);
  const carried = await load.carry(file, { stopMs: 3000 });
  await rm(file);
  console.info(JSON.stringify(carried.seen));
  expect(carried.digest).toBe(digest);
  expect(carried.seen.buffered).toBeLessThan(2 * 4 * MEBI);
  expect(carried.seen.grown).toBeLessThan(192 * MEBI);
  expect(carried.seen.silentInstallation).toBeLessThan(2500);
  expect(carried.seen.silentWatcher).toBeLessThan(2500);
});
