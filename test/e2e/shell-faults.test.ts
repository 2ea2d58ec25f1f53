import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { must } from "../lab/run.ts";
import * as users from "../lab/shell-user.ts";

let lab: HpsdRack;
let host: users.ShellHost;
beforeAll(async () => {
  lab = await startHpsdRack({ machines: ["52:54:00:00:01:01"] });
  host = await users.attachedHost(lab, lab.machine(0), join(lab.folder, "agent"));
});
afterAll(() => lab?.[Symbol.asyncDispose]());

type Fault = (user: users.ShellUser) => Promise<void>;

/** Each does what it says, shows what the person at the terminal sees, and leaves hpsd and the agent as they were. */
const FAULTS: readonly (readonly [string, Fault, RegExp])[] = [
  ["the client is killed", clientKilled, /^root ended it: nobody needs it$/],
  ["the server is killed", serverKilled, /^$/],
  ["the disk is full under the recorder", diskFull, /^the session cannot be recorded, and without a recording/],
  ["the agent is killed", agentKilled, /^the agent of host \S+ was started anew, and what ran under it is gone/],
  ["the host is shut down", hostDown, /^the host's agent was stopped by SIGTERM/],
  ["the operator's certificate is revoked", revoked, /revoked: laptop stolen/],
];

test.each(FAULTS)("%s: a sentence names the cause, and nothing is left", async (_what, doIt, endReason) => {
  await using stack = new AsyncDisposableStack();
  if (doIt === diskFull) stack.defer(await fullDisk());
  const environment = doIt === revoked ? await users.otherOperator(lab, "bob") : lab.environment;
  const user = stack.use(await users.shellUser(lab, { environment }));
  await doIt(user);
  expect((await users.nothingLeft(lab, user)).endReason).toMatch(endReason);
});

/** The terminal waits for its owner: until it is back, or somebody ends it. */
async function clientKilled({ terminal, session }: users.ShellUser): Promise<void> {
  process.kill(terminal.pid, "SIGKILL");
  expect(await terminal.ended).toBe(137);
  await expect.poll(async () => (await users.sessionOf(lab, session)).state).toBe(SessionState.DETACHED);
  expect((await lab.hpsctl("session", "ls", "--open")).stdout.toLowerCase()).toContain("detached");
  expect((await lab.hpsctl("session", "kill", session, "--yes", "--reason", "nobody needs it")).code).toBe(0);
}

async function serverKilled({ terminal }: users.ShellUser): Promise<void> {
  await terminal.type("there=still; echo no''ted\n");
  await terminal.shows("noted\r\n");
  await lab.restart("SIGKILL", 300);
  await terminal.shows(/hpsctl: .*; tries to come back for 10m, ~\. leaves/);
  await terminal.shows("hpsctl: back in the session");
  await terminal.type("echo $there-there\n");
  await terminal.shows("still-there");
  await terminal.type("exit 3\n");
  expect(await terminal.ended).toBe(3);
}

/** Puts a tiny file system where recordings lie; gives what takes it away. */
async function fullDisk(): Promise<() => Promise<void>> {
  const folder = join(lab.folder, "state", "sessions");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await must(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "hps-test", folder]);
  return async () => {
    await must(["umount", "--lazy", folder]);
  };
}

async function diskFull({ terminal }: users.ShellUser): Promise<void> {
  await terminal.type("head -c 3000000 /dev/zero | tr '\\0' x\n");
  await terminal.shows("the session ended: the session cannot be recorded, and without a recording there is no shell");
  expect(await terminal.ended).toBe(255);
}

async function agentKilled({ terminal, session }: users.ShellUser): Promise<void> {
  await host.agent().stop("SIGKILL");
  await terminal.shows(/hpsctl: host \S+ is out of reach; the session waits for it, at most 5 min/);
  expect((await users.sessionOf(lab, session)).state).toBe(SessionState.HOST_LOST);
  await host.startAgain();
  await terminal.shows(/hpsctl: the session ended: the agent of host \S+ was started anew/);
  expect(await terminal.ended).toBe(255);
}

/** What the init of a machine does before a restart. */
async function hostDown({ terminal }: users.ShellUser): Promise<void> {
  await host.agent().stop("SIGTERM");
  await terminal.shows("hpsctl: the session ended: the host's agent was stopped by SIGTERM");
  expect(await terminal.ended).toBe(255);
  await host.startAgain();
}

async function revoked({ terminal }: users.ShellUser): Promise<void> {
  const { certificates } = await lab.hps.identity.listCertificates({ validOnly: true });
  const { serial = "" } = certificates.find(({ identity }) => identity.endsWith("/operator/bob")) ?? {};
  const done = await lab.hpsctl("cert", "revoke", serial, "--yes", "--reason", "laptop stolen");
  expect(done).toMatchObject({ code: 0 });
  await terminal.shows(/revoked: laptop stolen/);
  expect(await terminal.ended).not.toBe(0);
}
