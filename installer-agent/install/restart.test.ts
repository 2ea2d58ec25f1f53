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
  const restart = new Restart({
    outbox: { size: 0, listen: () => () => undefined },
    event: ({ case: kind }) => void said.push(kind),
    say: (line) => void said.push(line),
    openShells: () => 0,
    onReady: () => void said.push("ready"),
    ...changes,
  });
  return { restart, said };
}

const installed = async () => ({ ...CONFIGURATION, order: ORDER });

test("open shells hold the machine for a time that is said, and no longer", async () => {
  const { restart, said } = rig({ openShells: () => 2, shellLimitMs: 30 });
  await restart.whenInstalled(installed, stop.signal);
  expect(said.at(-1)).toBe("ready");
  expect(said.join("\n")).toMatch(
    /2 shell sessions are open: the machine restarts when they end, at 20\d\d-.*Z at the/,
  );
});

test("where nothing was installed, or hpsd cannot be asked, the machine stays as it is", async () => {
  const nothing = rig({});
  await nothing.restart.whenInstalled(async () => CONFIGURATION, stop.signal);
  expect(nothing.said).toEqual(["all steps of this agent are done; staying attached"]);
  const refused = rig({});
  await refused.restart.whenInstalled(() => Promise.reject(new HpsError("denied", "not you")), stop.signal);
  expect(refused.said).toEqual(["the machine is not restarted: not you"]);
});
