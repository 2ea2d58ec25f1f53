import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ID } from "../../certs/test-chain.ts";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { CONFIGURATION, ORDER } from "../testing/orders.ts";
import { startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { runInstaller } from "./installer.ts";
import { Restart, type RestartOptions } from "./restart.ts";
import { STEPS } from "./steps.ts";

let hpsd: TestHpsd;
let stop: AbortController;
let running: Promise<unknown>;
beforeEach(async () => {
  hpsd = await startTestHpsd();
  stop = new AbortController();
  const digest = "ab".repeat(32);
  hpsd.attach.configuration = {
    ...{ image: "debian:12", installation: ID },
    imageSource: { file: { digest, sizeBytes: 1n }, format: ImageFormat.TAR, contentBytes: 1n, entries: 1n },
  };
});
afterEach(async () => {
  stop.abort(new HpsError("cancelled", "the test is over"));
  await running;
  expect(hpsd.attach.problems).toEqual([]);
  await hpsd.stop();
});

/** An agent that starts again after the last step; gives when the machine would have restarted. */
function start(): Promise<string> {
  const restarted = Promise.withResolvers<string>();
  const { agent, claim } = hpsd;
  const restart = async () => restarted.resolve("restarted");
  running = runInstaller({ ...agent, claim, built: 0, restart }, stop.signal).then(
    () => "ended",
    (error: unknown) => error,
  );
  return restarted.promise;
}

const finished = () => hpsd.attach.events.includes("finished");
const doneSteps = STEPS.map(({ name }) => name);

test("when all is installed hpsd is told, the agent leaves in order, and the machine restarts", async () => {
  hpsd.attach.welcome = { doneSteps };
  const restarted = start();
  await hpsd.attach.until(finished);
  expect(await restarted).toBe("restarted");
  expect(await running).toBe("ended");
  expect(hpsd.attach.attaches.every(({ ended }) => ended)).toBe(true);
  expect(hpsd.attach.events.filter((text) => text === "finished")).toHaveLength(1);
});

test("a machine that is held restarts when it is let go, and not before", async () => {
  hpsd.attach.welcome = { doneSteps, rebootPaused: true };
  let early = true;
  const restarted = start().then(() => early);
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  await hpsd.attach.until(() => hpsd.attach.events.some((text) => text.includes("held: hpsctl installation resume")));
  expect(finished()).toBe(true);
  early = false;
  const value = { id: "c1", command: { case: "resumeReboot", value: {} } } as const;
  attached.down.push({ message: { case: "command", value } });
  expect(await restarted).toBe(false);
});

test("an agent that starts again when all was done already does no step and restarts the machine as soon as it may", async () => {
  hpsd.attach.welcome = { doneSteps, proceed: false, rebootPaused: true, finished: true };
  const restarted = start();
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  await hpsd.attach.until(() => hpsd.attach.events.some((text) => text.includes("held: hpsctl installation resume")));
  const value = { id: "c1", command: { case: "resumeReboot", value: {} } } as const;
  attached.down.push({ message: { case: "command", value } });
  expect(await restarted).toBe("restarted");
  expect(hpsd.attach.events.filter((text) => !text.startsWith("log"))).toEqual(["plan"]);
});

test("an installer is not restarted by command", async () => {
  hpsd.attach.welcome = { proceed: false };
  void start();
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  const value = { id: "c1", command: { case: "reboot", value: { network: false } } } as const;
  attached.down.push({ message: { case: "command", value } });
  const result = await hpsd.attach.until(() => attached.up.find((message) => message.case === "result"));
  expect(result.value).toMatchObject({ error: expect.stringContaining("this machine is being installed") });
});

/** A restart with nothing to wait for, what it said, and when it was ready. */
function rig(changes: Partial<RestartOptions>) {
  const said: string[] = [];
  const announced: string[] = [];
  const restart = new Restart({
    outbox: { size: 0, listen: () => () => undefined, owes: () => false },
    event: ({ case: kind }) => void said.push(kind),
    say: (line) => void said.push(line),
    openShells: () => 0,
    announce: (text) => void announced.push(text),
    onReady: () => void said.push("ready"),
    ...changes,
  });
  return { restart, said, announced };
}

const installed = async () => ({ ...CONFIGURATION, order: ORDER });

test("open shells hold the machine for a time that is said, and no longer", async () => {
  const { restart, said, announced } = rig({ openShells: () => 2, shellLimitMs: 30 });
  await restart.whenInstalled(installed, stop.signal);
  expect(said.at(-1)).toBe("ready");
  const told = /^2 shell sessions are open: the machine restarts when none is, at 20\d\d-\S*Z at the latest; hpsctl/;
  expect(said.filter((line) => told.test(line))).toHaveLength(1);
  expect(announced).toEqual(said.filter((line) => told.test(line)));
});

test("a restart that waits for shells can be held and let go at the machine, any number of times", async () => {
  const { restart, said, announced } = rig({ openShells: () => 1, shellLimitMs: 1_000 });
  const over = restart.whenInstalled(installed, stop.signal);
  for (let round = 0; round < 50; round += 1) {
    restart.holdHere(true);
    restart.holdHere(true);
    await sleep(round % 3);
    restart.holdHere(false);
    await sleep(round % 2);
  }
  restart.holdHere(true);
  await sleep(1_500);
  expect(restart.shellsHold).toBeUndefined();
  expect(said).not.toContain("ready");
  expect(said.filter((line) => line === "rebootPaused")).toHaveLength(101);
  expect(announced.at(-1)).toContain("the restart is held: hpsctl installation resume-reboot");
  restart.holdHere(false);
  await expect.poll(() => restart.shellsHold, { interval: 5 }).toBeGreaterThan(0);
  expect(restart.shellsHold).toBeLessThanOrEqual(1_000);
  await over;
  expect(said.at(-1)).toBe("ready");
  expect(restart.shellsHold).toBeUndefined();
});

test("hpsd's word counts, but for one from before it knew what was done at the machine", () => {
  let known = 0n;
  const asked: unknown[] = [];
  const owes = (kind: unknown, acknowledged = 0n) => {
    asked.push(kind);
    return acknowledged < known;
  };
  const { restart, said } = rig({ outbox: { size: 0, listen: () => () => undefined, owes } });
  const held = () => {
    restart.holdHere(true);
    const was = said.filter((line) => line === "rebootPaused").length;
    said.length = 0;
    return was === 0;
  };
  restart.order(true);
  expect(held()).toBe(true);
  known = 7n;
  restart.order(false, 6n);
  expect(held()).toBe(true);
  restart.order(false, 7n);
  expect(held()).toBe(false);
  expect(new Set(asked)).toEqual(new Set(["rebootPaused"]));
});

test("where nothing was installed, or hpsd cannot be asked, the machine stays as it is", async () => {
  const nothing = rig({});
  await nothing.restart.whenInstalled(async () => CONFIGURATION, stop.signal);
  expect(nothing.said).toEqual(["all steps of this agent are done; staying attached"]);
  const refused = rig({});
  await refused.restart.whenInstalled(() => Promise.reject(new HpsError("denied", "not you")), stop.signal);
  expect(refused.said).toEqual(["the machine is not restarted: not you"]);
});
