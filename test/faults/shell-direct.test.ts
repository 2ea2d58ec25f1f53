/** The way into a host while hpsd is down: a real hpsd that is killed, a real agent, hpsctl. */
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hpsctl } from "../../client/testing/hpsctl.ts";
import type { Program } from "../lab/program.ts";
import { type ArmedHost, armHost } from "./load-agents.ts";
import { asAdmin, loggedIn } from "./other-operator.ts";
import { startAgent } from "./real-agent.ts";
import { freePorts, startHpsd, until } from "./real-hpsd.ts";

const CONFIG = "shell:\n  recording: best-effort\nlog:\n  level: warn\n";
/** Shorter than an agent's own, which nobody would wait for here. */
const LOST = ["direct.lostFor=1500ms"];

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let host: ArmedHost;
let agent: Program;
let port: number;

beforeEach(async () => {
  hpsd = await startHpsd({ config: CONFIG });
  [port = 0] = await freePorts(1);
  await ctl("cluster", "edit", "lab", "--shell-direct", "on");
  host = await armHost(hpsd.admin, 1);
  agent = await startAgent(host, hpsd.folder, { sets: [...LOST, `direct.port=${port}`] });
  await agent.waitFor(/a new list of who may enter directly/);
});
afterEach(async () => {
  await agent?.stop("SIGKILL");
  await hpsd?.[Symbol.asyncDispose]();
});

async function ctl(...words: readonly string[]): Promise<string> {
  return await asAdmin(hpsd, ...words);
}

/** hpsctl of an operator of its own. */
async function operator(name: string, role: string) {
  const environment = await loggedIn(hpsd, name, role);
  return async (...words: readonly string[]) => await hpsctl({ environment }, words);
}

const direct = (name: string, ...command: readonly string[]) => [
  "installer-shell",
  "-n",
  name,
  "--direct",
  "--address",
  `127.0.0.1:${port}`,
  "--reason",
  "hpsd is down",
  "--",
  ...command,
];

const sessions = async () => await Array.fromAsync(hpsd.admin.listSessions({ cluster: "lab" }));

const OPEN = /the direct way is open/;

async function loseHpsd(): Promise<void> {
  await hpsd.program().stop("SIGKILL");
  await agent.waitFor(/not attached/);
}

const recordings = () => path.join(hpsd.folder, "agent", "state", "direct", "recordings");

test("closed while hpsd is there and when it is just lost, open after the limit, and its recording comes to hpsd afterwards", async () => {
  const carol = await operator("carol", "viewer");
  const dave = await operator("dave", "operator");
  const [daves] = (await Array.fromAsync(hpsd.admin.listCertificates())).filter(({ identity }) =>
    identity.endsWith("/operator/dave"),
  );
  await agent.waitFor(/keys=2/, 20_000);
  const before = await hpsd.hpsctl(...direct("h1", "true"));
  expect([before.code, before.err]).toEqual([expect.any(Number), expect.stringContaining("no host lets anybody in")]);
  await ctl("cert", "revoke", daves?.serial ?? "", "--reason", "test", "--yes");
  await agent.waitFor(/keys=2[\s\S]*keys=1/, 20_000);
  await loseHpsd();
  expect((await hpsd.hpsctl(...direct("h1", "true"))).code).not.toBe(0);
  await agent.waitFor(OPEN, 20_000);
  // Not through hpsd, and said so; the exit code is the command's.
  const session = await hpsd.hpsctl(...direct("h1", "sh", "-c", "echo alone; echo error >&2; exit 7"));
  expect(session).toMatchObject({ code: 7, out: "alone\n" });
  expect(session.err).toMatch(/NOT through hpsd[\s\S]*error\n[\s\S]*recorded on the host: sha256:[0-9a-f]{64}/);
  const digest = /recorded on the host: (sha256:\S+)/.exec(session.err)?.[1];
  // A viewer is on no list, nor is who was revoked; nor is this another host.
  expect((await carol(...direct("h1", "true"))).err).toMatch(/does not let carol with this key enter lab\/h1/);
  expect((await dave(...direct("h1", "true"))).err).toMatch(/does not let dave with this key enter lab\/h1/);
  const other = await hpsd.hpsctl(...direct("h2", "true"));
  expect(other.code).not.toBe(0);
  expect(other.err).toMatch(/what answers at \S+ is not host h2: .*its certificate is for another name/);
  await hpsd.start();
  await agent.waitFor(/the direct way is closed: hpsd is back/, 20_000);
  await agent.waitFor(/hpsd has taken a kept recording/, 20_000);
  expect(await readdir(recordings())).toEqual([]);
  expect((await hpsd.hpsctl(...direct("h1", "true"))).err).toContain("no host lets anybody in");
  const [kept] = await sessions();
  expect(kept).toMatchObject({ keptByAgent: true, operator: "alice", exitCode: 7, reason: "hpsd is down" });
  expect(await ctl("session", "verify", kept?.id ?? "")).toMatch(/as it was/);
  expect((await hpsd.hpsctl("session", "play", kept?.id ?? "")).out).toContain("alone");
  const audit = await ctl("audit", "ls", "-o", "json");
  expect(audit).toContain(digest);
  expect(audit).toContain("by the agent");
});

test("what is altered on the host is refused by hpsd, said on both sides, and stays there", async () => {
  await loseHpsd();
  await agent.waitFor(OPEN, 20_000);
  expect((await hpsd.hpsctl(...direct("h1", "echo", "precious"))).code).toBe(0);
  const [name = ""] = await readdir(recordings());
  const file = path.join(recordings(), name);
  const bytes = await readFile(file);
  bytes.write("harmless", bytes.lastIndexOf("precious"));
  await writeFile(file, bytes);
  await hpsd.start();
  await agent.waitFor(/hpsd does not take a kept recording, which stays here: the recording's chain is broken/, 20_000);
  expect(await readdir(recordings())).toEqual([name.replace(".chain", ".refused")]);
  const audit = await ctl("audit", "ls", "-o", "json");
  expect(audit).toMatch(/the recording's chain is broken/);
  expect(await sessions()).toEqual([]);
});

test("a list outlives the agent, within its time alone; and one that was altered lets nobody in", async () => {
  const list = path.join(hpsd.folder, "agent", "state", "direct", "list.json");
  await copyFile(list, `${list}.good`);
  await loseHpsd();
  const again = async () => {
    await agent.stop("SIGKILL");
    agent = await startAgent(host, hpsd.folder, { sets: [...LOST, `direct.port=${port}`], readyLine: /not attached/ });
  };
  await again();
  await agent.waitFor(OPEN, 20_000);
  expect((await hpsd.hpsctl(...direct("h1", "true"))).code).toBe(0);
  // Twelve hours later by the clock that nobody sets.
  const kept = JSON.parse(await readFile(`${list}.good`, "utf8"));
  kept.arrival.uptime -= 12 * 3_600_000;
  await writeFile(list, JSON.stringify(kept));
  await again();
  await agent.waitFor(/hpsd is lost, and nobody may enter directly: the list that hpsd signed ended/, 20_000);
  expect(agent.output()).not.toMatch(OPEN);
  // Another name on it.
  const altered = JSON.parse(await readFile(`${list}.good`, "utf8"));
  const signed = Buffer.from(altered.list, "base64");
  signed.write("malic", signed.indexOf("alice"));
  await writeFile(list, JSON.stringify({ ...altered, list: signed.toString("base64") }));
  await again();
  await agent.waitFor(/the kept list of who may enter directly is not taken: the list's signature is not by/);
  await until("the list is gone", 3000, async () => !(await readdir(path.dirname(list))).includes("list.json"));
  await sleep(2500);
  expect(agent.output()).not.toMatch(OPEN);
});
