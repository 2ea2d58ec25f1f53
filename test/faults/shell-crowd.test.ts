import { expect, test } from "vitest";
import { startHpsd } from "./real-hpsd.ts";
import { allSeeTheSame, askAll, endAll, openMany, watchAll } from "./shell-crowd.ts";
import { gaugeOf } from "./shell-load.ts";

test("many sessions on one hpsd, and many who watch one: each has its own, all see the same, nothing is left", async () => {
  await using hpsd = await startHpsd();
  const sessions = await openMany(hpsd, 40);
  await askAll(sessions);
  expect(await gaugeOf(hpsd, "hps_shell_sessions")).toBe(40);
  const [first = expect.unreachable()] = sessions;
  await allSeeTheSame(first, await watchAll(hpsd, first, 10));
  expect(new Set(await endAll(sessions.slice(1)))).toEqual(new Set([3]));
  await expect.poll(() => gaugeOf(hpsd, "hps_shell_sessions")).toBe(0);
  expect(await gaugeOf(hpsd, "hps_shell_buffered_bytes")).toBe(0);
});
