import { readdirSync, readlinkSync } from "node:fs";
import { expect } from "vitest";
import { residentBytes, startHpsd } from "../faults/real-hpsd.ts";
import { allSeeTheSame, askAll, endAll, openMany, watchAll } from "../faults/shell-crowd.ts";
import { gaugeOf, noiseFile, ShellLoad } from "../faults/shell-load.ts";
import { scenario } from "../runner/scenario.ts";

const MEBI = 2 ** 20;
const STOP_MS = 60_000;
/** Of others while one reader stands still: a machine that does much else may be late, not stand. */
const SILENT_MS = 10_000;
/** Memory that is not given back at once after the first. */
const SLACK = 24 * MEBI;

scenario("shell-bulk", async () => {
  await using hpsd = await startHpsd();
  const { file, digest } = await noiseFile(hpsd.folder, 1024);
  const load = await ShellLoad.start(hpsd);
  const resident: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { digest: returned, seen } = await load.carry(file, { stopMs: STOP_MS });
    resident.push(residentBytes(hpsd.program().pid));
    console.info(JSON.stringify({ ...seen, resident: resident.at(-1) }));
    expect(returned).toBe(digest);
    expect(seen.buffered).toBeLessThan(2 * 4 * MEBI); // of two sessions
    expect(seen.grown).toBeLessThan(192 * MEBI);
    expect(seen.silentInstallation).toBeLessThan(SILENT_MS);
    expect(seen.silentWatcher).toBeLessThan(SILENT_MS);
  }
  expect((resident.at(-1) ?? 0) - (resident[0] ?? 0)).toBeLessThan(SLACK);
});

scenario("shell-sessions", async () => {
  await using hpsd = await startHpsd();
  const sessions = await openMany(hpsd, 500);
  expect(await gaugeOf(hpsd, "hps_shell_sessions")).toBe(500);
  await askAll(sessions);
  expect(new Set(await endAll(sessions))).toEqual(new Set([3]));
  await expect.poll(() => gaugeOf(hpsd, "hps_shell_sessions")).toBe(0);
  expect(await gaugeOf(hpsd, "hps_shell_buffered_bytes")).toBe(0);
  expect(openRecordings(hpsd.program().pid)).toBe(0);
});

scenario("shell-watchers", async () => {
  await using hpsd = await startHpsd();
  const [session = expect.unreachable()] = await openMany(hpsd, 1);
  await allSeeTheSame(session, await watchAll(hpsd, session, 50));
});

function openRecordings(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).includes("/sessions/");
    } catch {
      return false; // closed since
    }
  }).length;
}
