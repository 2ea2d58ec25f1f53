import { afterEach, beforeEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { processesOf } from "../shell/process-session.ts";
import { ShellSessions } from "../shell/shell-sessions.ts";
import { HubEnd } from "../shell/testing/hub-end.ts";
import { TEST_SHELLS } from "../shell/testing/session-rig.ts";
import type { Attached } from "../testing/attach-door.ts";
import { startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { runInstaller } from "./installer.ts";

let hpsd: TestHpsd;
let hub: HubEnd;
let shells: ShellSessions;
let stop: AbortController;
let running: Promise<unknown>;
beforeEach(async () => {
  hpsd = await startTestHpsd();
  hub = new HubEnd(true);
  hpsd.attach.serveShell = (requests, { signal }) => hub.serve(requests, { signal });
  stop = new AbortController();
  const { agent, claim } = hpsd;
  shells = new ShellSessions({ ...TEST_SHELLS, log: agent.log });
  running = runInstaller({ ...agent, claim, built: 0, shells }, stop.signal).catch((error: unknown) => error);
});
afterEach(async () => {
  stop.abort(new HpsError("cancelled", "the test is over"));
  await running;
  await hpsd.stop();
});

const live = (): Attached | undefined => hpsd.attach.attaches.findLast(({ ended }) => !ended);

async function type(text: string): Promise<void> {
  await hub.send({ case: "input", value: Buffer.from(text) });
}

async function shows(pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const { rung } = hub.changed;
    const found = pattern.exec(Buffer.concat(hub.outputs).toString());
    if (found !== null) return found;
    await rung;
  }
}

async function open(hold = 60n): Promise<number> {
  const attached = await hpsd.attach.until(live);
  const value = { session: newUuid(), term: "xterm", rows: 24, columns: 80, hold: { seconds: hold, nanos: 0 } };
  attached.down.push({ message: { case: "command", value: { id: "c1", command: { case: "openShell", value } } } });
  await expect.poll(() => shells.count).toBe(1);
  await type("stty -echo; echo pid=$$.\n");
  return Number((await shows(/pid=(\d+)\./))[1]);
}

async function away(during: () => Promise<void>): Promise<void> {
  const port = Number(hpsd.claim.grpc.split(":")[1]);
  await hpsd.attach.close();
  await during();
  await hpsd.attach.listen(port);
}

test("a terminal goes on when the agent has attached again to an hpsd that was restarted, again and again", async () => {
  const pid = await open();
  await type("for i in $(seq 1 30); do seq $((i * 1000)) $((i * 1000 + 999)); sleep 0.1; done; echo do'n'e\n");
  for (let round = 0; round < 3; round += 1) {
    await shows(new RegExp(`^${(round + 1) * 2000}\r$`, "m"));
    await away(async () => expect(await processesOf(pid)).not.toEqual([]));
    await expect.poll(() => hub.resumed.length).toBeGreaterThan(round);
  }
  await shows(/done/);
  const numbers = Buffer.concat(hub.outputs)
    .toString("latin1")
    .match(/^\d+(?=\r$)/gm);
  expect(numbers).toEqual(Array.from({ length: 30_000 }, (_, index) => `${index + 1000}`));
  await type("exit 5\n");
  expect(await hub.exit).toMatchObject({ code: 5 });
  await expect.poll(() => shells.count).toBe(0);
});

test("one that nobody comes back to in time is ended, and the agent's log says so", async () => {
  const pid = await open(1n);
  await away(async () => {
    await expect.poll(() => shells.count, { timeout: 10_000 }).toBe(0);
    expect(await processesOf(pid)).toEqual([]);
  });
  expect(hpsd.agent.lines.join("")).toContain("a terminal is ended: nobody resumed it within 1s");
  expect(hub.resumed).toEqual([]);
});

test("an agent that stops says so to those in its shells", async () => {
  const pid = await open();
  stop.abort(new HpsError("cancelled", "stopped by SIGTERM"));
  expect(await hub.exit).toMatchObject({ code: 255, reason: "stopped by SIGTERM" });
  await running;
  expect(await processesOf(pid)).toEqual([]);
});
