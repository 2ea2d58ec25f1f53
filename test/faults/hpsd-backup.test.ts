import { readdirSync } from "node:fs";
import { appendFile, cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startProgram } from "../lab/program.ts";
import { run } from "../lab/run.ts";
import { armHost, eachOf, enrolHost, LoadAgent, linesOf } from "./load-agents.ts";
import { hpsdArgv, initArgs, makeHpsd, startHpsd, until } from "./real-hpsd.ts";

const BACKOFF = { min: 100, max: 2_000 };

async function loadedHpsd(count: number) {
  const hpsd = await startHpsd();
  const hosts = await eachOf(Array.from({ length: count }), 8, (_, index) => armHost(hpsd.admin, index));
  const agents = await eachOf(hosts, 8, async (host) => {
    const identity = await enrolHost(host, `${hpsd.folder}/agents`, BACKOFF);
    return new LoadAgent({ host, identity, backoff: BACKOFF });
  });
  for (const agent of agents) agent.start();
  const talking = setInterval(() => {
    for (const agent of agents) agent.say();
  }, 50);
  const dispose = async () => {
    clearInterval(talking);
    await Promise.all(agents.map((agent) => agent.stop()));
    await hpsd[Symbol.asyncDispose]();
  };
  const hush = () => clearInterval(talking);
  await until("all attached", 20_000, () => agents.every(({ welcomes }) => welcomes > 0));
  return { hpsd, agents, hush, [Symbol.asyncDispose]: dispose };
}

test("a backup of a busy hpsd makes it anew on an empty machine, and its agents come back", async () => {
  await using load = await loadedHpsd(20);
  const { hpsd, agents, hush } = load;
  const copy = path.join(hpsd.folder, "copy");
  await until("something said", 10_000, () => agents.every(({ acknowledged }) => acknowledged > 20));
  const before = agents.map(({ acknowledged }) => acknowledged);
  expect(await hpsd.run("backup", copy)).toMatchObject({ code: 0, stdout: expect.stringMatching(/backed up/) });
  const copied = agents.map(({ acknowledged }) => acknowledged);
  await until("more said", 10_000, () =>
    agents.every((agent, index) => agent.acknowledged > (copied[index] ?? 0) + 10),
  );
  await hpsd.program().stop("SIGKILL");
  await rm(hpsd.state, { recursive: true });
  expect(await hpsd.run("restore", copy)).toMatchObject({ code: 0, stdout: expect.stringMatching(/restored/) });
  const welcomes = agents.map((agent) => agent.welcomes);
  await hpsd.start();
  await until("all back", 20_000, () => agents.every((agent, index) => agent.welcomes > (welcomes[index] ?? 0)));
  hush();
  await until("everything acknowledged", 20_000, () => agents.every(({ waiting }) => waiting === 0));
  // What was acknowledged after the backup is gone with the old disk; all up to it is there, and all of the new run.
  const admin = await hpsd.connect();
  await eachOf(agents, 4, async (agent, index) => {
    const lines = await linesOf(admin, agent.host.installation);
    const kept = lines.findIndex((line, at) => line !== `line ${at + 1}`);
    expect(agent.sameRun).toBe(false);
    expect(kept === -1 ? lines.length : kept).toBeGreaterThanOrEqual((before[index] ?? 0) * 0.8);
    expect(lines.at(-1)).toBe(`line ${agent.lines}`);
  });
  // Operators are who they were.
  expect(await admin.identity.whoAmI({})).toMatchObject({ identity: expect.stringMatching(/operator\/alice$/) });
  expect(await hpsd.program().stop()).toBe(0);
});

test("a backup that was cut off or altered is refused, and so is a restore over anything", async () => {
  await using hpsd = await makeHpsd();
  const copy = path.join(hpsd.folder, "copy");
  expect((await hpsd.run("backup", copy)).code).toBe(0);
  const refused = async (say: RegExp, from = copy) => {
    const { code, stderr } = await hpsd.run("restore", from);
    expect(stderr).toMatch(say);
    expect(stderr).not.toMatch(/unexpectedly/);
    expect(code).not.toBe(0);
  };
  await refused(/holds an hpsd already/);
  expect((await hpsd.run("backup", copy)).stderr).toMatch(/cannot make the folder/);
  const old = `${hpsd.state}.old`;
  await rename(hpsd.state, old);
  await mkdir(hpsd.state);
  await writeFile(path.join(hpsd.state, "letters.txt"), "of someone");
  await refused(/is not empty/);
  expect(readdirSync(hpsd.state)).toEqual(["letters.txt"]);
  await rm(hpsd.state, { recursive: true });
  const changed = async (change: (folder: string) => Promise<unknown>, say: RegExp) => {
    const other = path.join(hpsd.folder, "other");
    await cp(copy, other, { recursive: true });
    await change(other);
    await refused(say, other);
    await rm(other, { recursive: true });
  };
  await changed((at) => rm(path.join(at, "backup.json")), /no whole backup/);
  await changed((at) => appendFile(path.join(at, "hpsd.db"), "x"), /hpsd\.db of the backup is altered/);
  await changed((at) => rm(path.join(at, "ca"), { recursive: true }), /of the backup is missing/);
  await changed((at) => writeFile(path.join(at, "ca", "more.key"), "x"), /files its list does not: ca\/more\.key/);
  await changed((at) => writeFile(path.join(at, "backup.json"), '{"format": 1,'), /is not JSON/);
  await changed((at) => writeFile(path.join(at, "backup.json"), '{"format": 2}'), /backup\.json of the backup/);
  await changed(async (at) => {
    const list = await readFile(path.join(at, "backup.json"), "utf8");
    await writeFile(
      path.join(at, "backup.json"),
      list.replace(/"hpsd.db": "[0-9a-f]{64}",?/, "").replace(/,\s*}/, "}"),
    );
  }, /files its list does not: hpsd\.db/);
  expect(readdirSync(hpsd.folder).filter((name) => name.startsWith("state"))).toEqual(["state.old"]);
  // A copy that was killed in the middle has no list.
  await rename(old, hpsd.state);
  const half = path.join(hpsd.folder, "half");
  const program = await startProgram({ argv: hpsdArgv("backup", half, "--config", hpsd.config) });
  await until("begun", 10_000, () => readdirSync(hpsd.folder).includes("half"));
  await program.stop("SIGKILL");
  await rename(hpsd.state, old);
  if (!readdirSync(half).includes("backup.json")) await refused(/no whole backup/, half);
  expect((await hpsd.run("restore", copy)).code).toBe(0);
});

test("init that is killed at any moment leaves nothing in the way of the next", async () => {
  await using hpsd = await makeHpsd();
  const folder = path.join(hpsd.folder, "another");
  await mkdir(folder);
  const at = { folder, rootKey: path.join(folder, "root.key"), passphraseFile: hpsd.passphraseFile };
  const config = path.join(folder, "hpsd.yaml");
  const wanted = ["--config", config, "--state", path.join(folder, "state"), "--name", "localhost"];
  const argv = hpsdArgv(...initArgs(at), ...wanted);
  const left = new Set<string>();
  let finished = 0;
  for (let round = 0; round < 12; round += 1) {
    const program = await startProgram({ argv });
    onTestFinished(async () => void (await program.stop("SIGKILL")));
    // From its first trace on: what comes before changes nothing.
    const begun = () => readdirSync(folder).length > 0;
    await until("begun", 20_000, () => begun() || finished > 0);
    await sleep(Math.random() * 250);
    await program.stop("SIGKILL");
    for (const name of readdirSync(folder)) left.add(name.replace(/\d+$/, "PID"));
    if (readdirSync(folder).includes("state")) {
      finished += 1;
      break;
    }
  }
  if (finished === 0) expect(await run(argv)).toMatchObject({ code: 0 });
  expect(left.size).toBeGreaterThan(1);
  expect(
    readdirSync(folder)
      .sort()
      .filter((name) => name !== "invitation" && !name.endsWith(".unfinished")),
  ).toEqual([...["hpsd.yaml", "root.key", "root.key.pem", "state"]]);
  expect((await run(hpsdArgv("check", "--config", config))).stdout).toMatch(/ok {7}store and certificate authority/);
  // The same again is refused, and takes nothing away.
  expect(await run(argv)).toMatchObject({ code: 6, stderr: expect.stringMatching(/holds an hpsd already/) });
  expect(readdirSync(folder)).toContain("root.key");
});

test("an init that fails takes back what it made; the root key may not lie in the state folder", async () => {
  await using hpsd = await makeHpsd();
  const folder = path.join(hpsd.folder, "another");
  await mkdir(folder);
  const state = path.join(folder, "state");
  const wanted = ["--config", path.join(folder, "hpsd.yaml"), "--state", state, "--name", "localhost"];
  const at = { folder, rootKey: path.join(folder, "root.key"), passphraseFile: path.join(hpsd.folder, "short") };
  await writeFile(at.passphraseFile, "short\n");
  const short = await run(hpsdArgv(...initArgs(at), ...wanted));
  expect(short).toMatchObject({ code: 2, stderr: expect.stringMatching(/at least 8 bytes/) });
  const inside = { ...at, passphraseFile: hpsd.passphraseFile, rootKey: path.join(state, "root.key") };
  const within = await run(hpsdArgv(...initArgs(inside), ...wanted));
  expect(within).toMatchObject({ code: 2, stderr: expect.stringMatching(/may not lie in the state folder/) });
  expect(readdirSync(folder)).toEqual([]);
  await mkdir(state);
  await writeFile(path.join(state, "letters.txt"), "of someone");
  const used = await run(hpsdArgv(...initArgs({ ...at, passphraseFile: hpsd.passphraseFile }), ...wanted));
  expect(used).toMatchObject({ code: 6, stderr: expect.stringMatching(/is not empty/) });
  expect(readdirSync(state)).toEqual(["letters.txt"]);
});

test("who lost every operator's certificate comes back by recover-admin, once hpsd is stopped", async () => {
  await using hpsd = await startHpsd();
  const running = await hpsd.run("recover-admin", "bob");
  expect(running).toMatchObject({ code: 8, stderr: expect.stringMatching(/in use by process \d+/) });
  expect(await hpsd.program().stop()).toBe(0);
  for (const name of readdirSync(hpsd.folder)) {
    if (/^(hpsctl\.yaml|localhost|root\.key.*|invitation)$/.test(name)) {
      await rm(path.join(hpsd.folder, name), { recursive: true });
    }
  }
  const recovered = await hpsd.run("recover-admin", "bob");
  expect(recovered).toMatchObject({ code: 0 });
  const token = /token: (\S+)/.exec(recovered.stdout)?.[1] ?? "";
  await hpsd.start();
  await hpsd.login(token);
  const bob = await hpsd.connect();
  expect(await bob.identity.whoAmI({})).toMatchObject({ identity: expect.stringMatching(/operator\/bob$/) });
  await bob.identity.deleteOperator({ name: "alice" });
  const audit = await hpsd.hpsctl("audit", "ls");
  expect(audit.out).toMatch(/recover-admin/);
});
