import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { armedHost, issuedFor, untilState } from "../lab/gate-steps.ts";
import { startHpsdRack } from "../lab/hpsd-rack.ts";

const WEB = "52:54:00:00:01:01";
const FACTS = { macs: [WEB], serial: "S1" };

test("an operator compares the fingerprint on the console; the claim is found nowhere afterwards", async () => {
  await using lab = await startHpsdRack({ machines: [WEB], admission: "approve", sets: ["log.level=trace"] });
  const id = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  const machine = lab.machine(0);
  const held = await machine.boot();
  const agent = await machine.startAgent({ held, facts: FACTS });
  const shown = (await agent.waitFor(/this fingerprint: (\S+)/))[1] ?? "";
  await untilState(lab, id, InstallationState.AWAITING_APPROVAL);
  expect(await issuedFor(lab, id)).toEqual([]);
  const told = await lab.hpsctl("installation", "get", "web01", "-o", "json");
  expect(JSON.parse(told.stdout).pendingEnrolment).toMatchObject({ fingerprint: shown, address: "10.77.0.11" });

  const wrong = await lab.hpsctl("host", "approve", "web01", "--fingerprint", "00000-00000-00000-00000");
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain("the waiting agent has another fingerprint");
  expect(await issuedFor(lab, id)).toEqual([]);
  const approved = await lab.hpsctl("host", "approve", "web01", "--fingerprint", shown.toUpperCase());
  expect(approved).toMatchObject({ code: 0 });
  await agent.waitFor(/all steps of this agent are done/);
  expect(await issuedFor(lab, id, true)).toHaveLength(1);

  // A shell is recorded, and the audit log asked: all that hpsd writes down of an installation is there now.
  const { token } = held.claim;
  const shell = await lab.hpsctl("installer-shell", "web01", "--", "echo", "hello");
  expect(shell).toMatchObject({ code: 0, stdout: "hello\n" });
  const events = await lab.hpsctl("audit", "ls", "-o", "json", "--limit", "1000");
  const log = await lab.hpsctl("installation", "log", "web01");
  expect(log.stdout).toContain("step");
  await lab.hpsctl("installation", "cancel", "web01", "--yes");
  await agent.ended;
  const texts = [lab.printed(), events.stdout, log.stdout, told.stdout, await commandLines()];
  for (const text of texts) expect(text.includes(token)).toBe(false);
  expect(lab.printed()).toContain("DHCPACK"); // at its most talkative

  await lab.hpsd().stop();
  const files = await filesOf([join(lab.folder, "state"), join(lab.folder, "state-dnsmasq")]);
  const raw = Buffer.from(token, "base64url");
  for (const [name, bytes] of files) {
    for (const spelling of [token, raw, raw.toString("hex"), raw.toString("base64")]) {
      expect(bytes.includes(spelling), name).toBe(false);
    }
  }
  expect(files.some(([name]) => name.endsWith("hpsd.db"))).toBe(true);
  expect(files.some(([name]) => name.includes("/sessions/"))).toBe(true);
  // The search finds what is there.
  await writeFile(join(lab.folder, "state", "probe"), `x${token}x`);
  const probed = await filesOf([join(lab.folder, "state")]);
  expect(probed.some(([, bytes]) => bytes.includes(token))).toBe(true);
});

async function filesOf(folders: readonly string[]): Promise<readonly (readonly [string, Buffer])[]> {
  const found = folders.map(async (folder) => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return await Promise.all(paths.map(async (path) => [path, await readFile(path)] as const));
  });
  return (await Promise.all(found)).flat();
}

/** Of all processes there are. */
async function commandLines(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
  return (await Promise.all(pids.map(async (pid) => (await read(pid, "cmdline")) + (await read(pid, "environ"))))).join(
    "\n",
  );
}
