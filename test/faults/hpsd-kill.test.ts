import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { armHost, eachOf, enrolHost, LoadAgent, linesOf, saidSteps } from "./load-agents.ts";
import { damageOf, startHpsd, until } from "./real-hpsd.ts";

const AGENTS = 200;
const KILLS = 4;
const BACKOFF = { min: 100, max: 4_000 };

async function storedOf(admin: Hps, installation: string) {
  const lines = await linesOf(admin, installation);
  const steps: string[] = [];
  for await (const { entry, installation: now } of admin.watchInstallation(installation)) {
    const event = entry?.entry.case === "event" ? entry.entry.value.event : undefined;
    if (event?.case === "stepStarted" || event?.case === "stepSucceeded")
      steps.push(`${event.case} ${event.value.step}`);
    if (now !== undefined) break;
  }
  return { lines, steps };
}

test(`kill -9 of hpsd while ${AGENTS} agents stream loses nothing acknowledged and doubles nothing`, async () => {
  await using hpsd = await startHpsd();
  const times: string[] = [];
  const hosts = await eachOf(Array.from({ length: AGENTS }), 16, (_, index) => armHost(hpsd.admin, index));
  const identities = await eachOf(hosts, 16, (host) => enrolHost(host, `${hpsd.folder}/agents`, BACKOFF));
  const agents = hosts.map((host, index) => {
    const identity = identities[index];
    if (identity === undefined) throw new Error("not enrolled");
    return new LoadAgent({ host, identity, backoff: BACKOFF });
  });
  const talking = setInterval(() => {
    for (const agent of agents) agent.say();
  }, 200);
  try {
    for (const agent of agents) agent.start();
    await until("all attached", 30_000, () => agents.every(({ welcomes }) => welcomes > 0));
    for (let round = 0; round < KILLS; round += 1) {
      await sleep(500 + Math.random() * 2_000);
      const program = hpsd.program();
      process.kill(program.pid, "SIGKILL");
      await program.ended;
      await sleep(Math.random() * 1_000);
      const before = agents.map(({ welcomes }) => welcomes);
      await hpsd.start();
      const back = await until("all agents back", 3 * BACKOFF.max, () =>
        agents.every(({ welcomes }, index) => welcomes > (before[index] ?? 0)),
      );
      times.push(`${Math.round(back)} ms`);
    }
    clearInterval(talking);
    await until("everything acknowledged", 30_000, () => agents.every(({ waiting }) => waiting === 0));
    // And once in order, with everyone attached: they are told, and nothing is cut off.
    const stopping = performance.now();
    expect(await hpsd.program().stop("SIGTERM", 15_000)).toBe(0);
    times.push(`stopped in ${Math.round(performance.now() - stopping)} ms`);
    expect(performance.now() - stopping).toBeLessThan(10_000);
    await hpsd.start();
  } finally {
    clearInterval(talking);
    await Promise.all(agents.map((agent) => agent.stop()));
  }
  expect(agents.every(({ sameRun }) => sameRun)).toBe(true);
  const admin = await hpsd.connect();
  let events = 0;
  await eachOf(agents, 8, async (agent) => {
    const stored = await storedOf(admin, agent.host.installation);
    expect(stored.lines).toEqual(Array.from({ length: agent.lines }, (_, index) => `line ${index + 1}`));
    expect(stored.steps).toEqual(saidSteps(agent));
    events += agent.acknowledged;
  });
  expect(await hpsd.program().stop()).toBe(0);
  expect(await damageOf(hpsd)).toEqual([]);
  console.info(`${KILLS} kills, ${events} acknowledged; all back after ${times.join(", ")}`);
});
