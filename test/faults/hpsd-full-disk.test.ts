import { rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { armHost, eachOf, enrolHost, LoadAgent, linesOf, saidSteps } from "./load-agents.ts";
import { damageOf, startHpsd, until } from "./real-hpsd.ts";
import { smallDisk } from "./small-disk.ts";

const BACKOFF = { min: 100, max: 1_000 };

/** hpsd writes meanwhile: whoever comes first has the last of it. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(path.join(disk, "ballast"), Buffer.alloc(bavail * bsize));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
}

test("a full disk is said clearly, loses nothing acknowledged, and needs no restart when there is room again", async () => {
  using mounted = smallDisk(24);
  const disk = mounted.path;
  await using hpsd = await startHpsd({ state: path.join(disk, "state") });
  const { admin } = hpsd;
  const hosts = await eachOf(Array.from({ length: 10 }), 4, (_, index) => armHost(admin, index));
  const agents = await eachOf(hosts, 4, async (host) => {
    const identity = await enrolHost(host, `${hpsd.folder}/agents`, BACKOFF);
    return new LoadAgent({ host, identity, backoff: BACKOFF });
  });
  const spare = await armHost(admin, 1000);
  for (const agent of agents) agent.start();
  const talking = setInterval(() => {
    for (const agent of agents) agent.say();
  }, 20);
  onTestFinished(async () => {
    clearInterval(talking);
    await Promise.all(agents.map((agent) => agent.stop()));
  });
  await until("all acknowledged some", 20_000, () => agents.every(({ acknowledged }) => acknowledged > 20));
  const full = { code: "exhausted", message: "the store's disk is full", hint: expect.stringMatching(/free space/) };
  for (let round = 0; round < 2; round += 1) {
    fill(disk);
    const refusal = await writeUntilRefused(() =>
      admin.hosts.updateHost({
        host: { id: spare.hostId, profile: `p${Math.random()}`, tags: { a: "x".repeat(200) } },
        updateMask: { paths: ["profile", "tags"] },
      }),
    );
    expect(refusal).toMatchObject(full);
    // What only reads goes on, and says how it is.
    expect(await admin.hosts.getHost({ host: "lab/h0" })).toMatchObject({ name: "h0" });
    const shown = await hpsctlUntilRefused(hpsd, "lab/h0");
    expect(shown.code).toBe(11);
    expect(shown.err).toMatch(/disk is full/);
    await until("status says so", 15_000, async () =>
      /store .*failed .*is full/.test((await hpsd.hpsctl("status")).out),
    );
    const waiting = agents.map((agent) => agent.waiting);
    await until("events wait at the agents", 15_000, () =>
      agents.every((agent, index) => agent.waiting > (waiting[index] ?? 0) + 20),
    );
    rmSync(path.join(disk, "ballast"));
    await until("agents were heard again", 20_000, () => agents.every((agent) => agent.waiting < 10));
    await admin.hosts.updateHost({ host: { id: spare.hostId, profile: "again" }, updateMask: { paths: ["profile"] } });
  }
  clearInterval(talking);
  await until("everything acknowledged", 20_000, () => agents.every(({ waiting }) => waiting === 0));
  for (const agent of agents) {
    expect(agent.sameRun).toBe(true);
    const expected = Array.from({ length: agent.lines }, (_, index) => `line ${index + 1}`);
    expect(await linesOf(admin, agent.host.installation)).toEqual(expected);
    expect(saidSteps(agent).length).toBeGreaterThan(0);
  }
  expect(hpsd.program().output()).toMatch(/the disk of .*state is full/);
  // Full again, it stops in order.
  fill(disk);
  expect(await hpsd.program().stop()).toBe(0);
  rmSync(path.join(disk, "ballast"));
  expect(await damageOf(hpsd)).toEqual([]);
});

/** A write between two refused ones may find room: the store's log begins anew in its own file when it has been read into the store. */
async function hpsctlUntilRefused(hpsd: Awaited<ReturnType<typeof startHpsd>>, host: string) {
  for (let count = 0; ; count += 1) {
    const said = await hpsd.hpsctl("host", "edit", host, "--profile", `${count}`.padEnd(60, "x"));
    if (said.code !== 0) return said;
    if (count === 20) throw new Error(`hpsd wrote ${count} times on a full disk`);
    const kept = await hpsd.admin.hosts.getHost({ host });
    expect(kept.profile).toBe(`${count}`.padEnd(60, "x"));
  }
}

async function writeUntilRefused(write: () => Promise<unknown>): Promise<unknown> {
  for (let count = 0; count < 5_000; count += 1) {
    try {
      await write();
    } catch (error) {
      return error;
    }
  }
  return undefined;
}
