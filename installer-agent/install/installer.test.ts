import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import type { ServeShellResponse } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseTime } from "../../proto/values/time.ts";
import { type Attached, HOST_ID } from "../testing/attach-door.ts";
import { Queue } from "../testing/queue.ts";
import { startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { type InstallerOptions, runInstaller } from "./installer.ts";

let hpsd: TestHpsd;
let stop: AbortController;
let running: Promise<unknown>;

beforeEach(async () => {
  hpsd = await startTestHpsd();
  stop = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  stop.abort(new HpsError("cancelled", "the test is over"));
  await running;
  expect(hpsd.attach.problems).toEqual([]);
  await hpsd.stop();
});

/** Starts an agent; its end is in `running`, an error if it threw. */
function start(changes: Partial<InstallerOptions> = {}): void {
  const { agent, claim } = hpsd;
  running = runInstaller({ ...agent, claim, built: 0, ...changes }, stop.signal).catch((error: unknown) => error);
}

const EVERYTHING = [
  "plan",
  "stepStarted clock",
  "stepSucceeded clock",
  "stepStarted network",
  "stepSucceeded network",
  "stepStarted configuration",
  "stepSucceeded configuration",
  "plan", // nothing is to be installed here: the steps that install are planned no more
];
const events = () => hpsd.attach.events.filter((text) => !text.startsWith("log"));
const done = () => hpsd.attach.events.some((text) => text.includes("all steps of this agent are done"));
const live = (): Attached | undefined => hpsd.attach.attaches.findLast(({ ended }) => !ended);

function command(attached: Attached, id: string, value: Parameters<typeof attached.down.push>[0]["message"]): void {
  if (value?.case === "command") attached.down.push({ message: { case: "command", value: { id, ...value.value } } });
}

function resultOf(attached: Attached, id: string): string | undefined {
  for (const message of attached.up) {
    if (message.case === "result" && message.value.commandId === id) return message.value.error;
  }
  return undefined;
}

test("it enrols, attaches, does its steps, and stays attached with a heartbeat", async () => {
  start();
  await hpsd.attach.until(done);
  expect(events()).toEqual(EVERYTHING);
  const attached = hpsd.attach.attaches[0];
  expect(attached?.hello.facts?.macs).toEqual(["52:54:00:12:34:56"]);
  expect(attached?.hello.version).toBe("0.1.0");
  const count = attached?.up.length ?? 0;
  await hpsd.attach.until(() => attached?.up.slice(count).some(({ case: kind }) => kind === "heartbeat"));
  expect(hpsd.attach.attaches).toHaveLength(1);
});

test("whatever is cut, hpsd has every event once and in order", async () => {
  let cuts = 0;
  hpsd.attach.fate = () => {
    const random = Math.random();
    if (cuts >= 40 || random > 0.6) return "taken";
    cuts += 1;
    return random > 0.3 ? "cut-after" : "cut-before";
  };
  start();
  await hpsd.attach.until(done);
  expect(events()).toEqual(EVERYTHING);
  expect(hpsd.attach.runs.size).toBe(1);
});

test("it comes back to an hpsd that was away", async () => {
  start();
  const first = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  const port = Number(hpsd.claim.grpc.split(":")[1]);
  await hpsd.attach.close();
  await hpsd.attach.listen(port);
  const second = await hpsd.attach.until(live);
  expect(second).not.toBe(first);
  expect(second.hello.runId).toBe(first.hello.runId);
});

test("it waits for leave to begin, does only what is left, and fails without looping", async () => {
  hpsd.attach.welcome = { proceed: false };
  hpsd.attach.configuration = { macs: ["52:54:00:00:00:01"] };
  start();
  const attached = await hpsd.attach.until(live);
  await hpsd.attach.until(() => events().length > 0);
  command(attached, "c1", {
    case: "command",
    value: { command: { case: "proceed", value: { doneSteps: ["clock"] } } },
  });
  await hpsd.attach.until(() => events().includes("stepFailed configuration"));
  expect(resultOf(attached, "c1")).toBe("");
  expect(events()).toEqual(["plan", ...EVERYTHING.slice(3, 6), "stepFailed configuration"]);
  expect(hpsd.agent.lines.join("")).toContain("the configuration of web01 is for another machine");
  command(attached, "c2", {
    case: "command",
    value: { command: { case: "proceed", value: { doneSteps: ["clock"] } } },
  });
  await hpsd.attach.until(() => events().filter((text) => text === "stepFailed configuration").length === 2);
  expect(events().filter((text) => text === "stepStarted network")).toHaveLength(1);
});

test("a failure that hpsd has not heard of is not tried again because it welcomes us to work", async () => {
  hpsd.attach.configuration = { hostId: "01900000-0000-7000-8000-0000000000bb" };
  let cuts = 0;
  hpsd.attach.fate = () => {
    const failed = events().length >= 6;
    if (!failed || cuts >= 5) return "taken";
    cuts += 1;
    return "cut-before";
  };
  start();
  await hpsd.attach.until(() => events().includes("stepFailed configuration"));
  const { up } = await hpsd.attach.until(live);
  const before = up.length;
  await hpsd.attach.until(() => up.slice(before).filter(({ case: kind }) => kind === "heartbeat").length > 2);
  expect(cuts).toBe(5);
  expect(events().filter((text) => text === "stepStarted configuration")).toHaveLength(1);
});

test("cancel is answered, ends the agent and says why", async () => {
  start();
  const attached = await hpsd.attach.until(live);
  command(attached, "c1", { case: "command", value: { command: { case: "cancel", value: { reason: "wrong rack" } } } });
  await expect(running).resolves.toMatchObject({ message: "the installation was cancelled: wrong rack" });
  expect(resultOf(attached, "c1")).toBe("");
  await hpsd.attach.until(() => attached.ended);
});

test("a shell is begun by the starter, and refused in words", async () => {
  const asked: string[][] = [];
  let closed = 0;
  start({
    shells: {
      count: 0,
      start: async ({ session, command: argv }) => {
        asked.push([session, ...argv]);
        if (argv[0] === "bad") throw new HpsError("exhausted", "too many shells");
      },
      announce: () => undefined,
      close: async () => {
        closed += 1;
      },
    },
  });
  const attached = await hpsd.attach.until(live);
  for (const [id, argv] of [
    ["c1", ["ls", "-l"]],
    ["c2", ["bad"]],
  ] as const) {
    const value = { session: `s-${id}`, command: [...argv] };
    command(attached, id, { case: "command", value: { command: { case: "openShell", value } } });
  }
  expect(await hpsd.attach.until(() => resultOf(attached, "c2"))).toBe("too many shells");
  expect(resultOf(attached, "c1")).toBe("");
  expect(asked).toEqual([
    ["s-c1", "ls", "-l"],
    ["s-c2", "bad"],
  ]);
  stop.abort(new HpsError("cancelled", "over"));
  await running;
  expect(closed).toBeGreaterThan(0);
});

test("an hpsd that forgot, or cannot take what it is told, gets a new run, and the work begins anew at its word", async () => {
  start();
  const first = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  hpsd.attach.runs.clear();
  hpsd.attach.welcome = { proceed: false };
  first.down.end(new HpsError("unavailable", "restored from a backup"));
  const attached = await hpsd.attach.until(() =>
    hpsd.attach.attaches.findLast(({ ended, hello }) => !ended && hello.runId !== first.hello.runId),
  );
  await hpsd.attach.until(() => events().length > 0);
  expect(events()).toEqual(["plan"]);
  command(attached, "c1", {
    case: "command",
    value: { command: { case: "proceed", value: { doneSteps: ["clock"] } } },
  });
  await hpsd.attach.until(done);
  expect(events()).toEqual(["plan", ...EVERYTHING.slice(3, -1)]); // the first run found out that nothing is to be installed
});

test("renewal keeps the key and moves to the new certificate without a pause", async () => {
  start();
  const first = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  command(first, "c1", { case: "command", value: { command: { case: "renew", value: {} } } });
  const second = await hpsd.attach.until(() => hpsd.attach.attaches[1]);
  expect(resultOf(first, "c1")).toBe("");
  expect(second.certificate.serialNumber).not.toBe(first.certificate.serialNumber);
  expect(second.certificate.publicKey.equals(first.certificate.publicKey)).toBe(true);
  expect(second.hello.runId).toBe(first.hello.runId);
  expect(hpsd.est.asks[1]?.path).toBe("/.well-known/est/simplereenroll");
  expect(hpsd.est.asks[1]?.peer?.serialNumber).toBe(first.certificate.serialNumber);
  expect(hpsd.agent.lines.join("")).not.toContain("not attached");
});

test("a shell goes on over a renewal", async () => {
  const typed = new Queue<{ message: { case: "output"; value: Uint8Array<ArrayBuffer> } }>();
  const shown: string[] = [];
  const shell = Promise.withResolvers<void>();
  const serve = async (stream: AsyncIterable<ServeShellResponse>) => {
    for await (const { message } of stream) {
      if (message.case === "input") shown.push(Buffer.from(message.value).toString());
      if (shown.at(-1) === "bye") typed.end();
    }
  };
  const type = (text: string) => typed.push({ message: { case: "output", value: new Uint8Array(Buffer.from(text)) } });
  start({
    shells: {
      count: 0,
      start: async (_request, serveShell) => {
        void serve(serveShell(typed)).then(shell.resolve, shell.reject);
      },
      announce: () => undefined,
      close: async () => typed.end(),
    },
  });
  const first = await hpsd.attach.until(live);
  command(first, "c1", { case: "command", value: { command: { case: "openShell", value: { session: "s1" } } } });
  type("hello");
  command(first, "c2", { case: "command", value: { command: { case: "renew", value: {} } } });
  await hpsd.attach.until(() => hpsd.attach.attaches[1]);
  await hpsd.attach.until(() => first.ended);
  type("bye");
  await shell.promise;
  expect(shown).toEqual(["hello", "bye"]);
});

test("a certificate is renewed before it ends", async () => {
  // Backdated by a minute, so that 90 of its 120 seconds are over and 30 are left.
  hpsd.est.lifetime = 60_000;
  hpsd.est.age = 30_000;
  hpsd.est.answer = (_ask, before) => {
    if (before === 1) hpsd.est.age = 0;
    return undefined;
  };
  start();
  const renewed = await hpsd.attach.until(() => hpsd.attach.attaches[1]);
  expect(certificateIdentity(renewed.certificate).identity.kind).toBe("installer");
  expect(hpsd.est.asks).toHaveLength(2);
});

test("a failed renewal is tried again, and told", async () => {
  hpsd.est.answer = (ask, before) => (ask.peer !== undefined && before < 2 ? { status: 500 } : undefined);
  start();
  const first = await hpsd.attach.until(live);
  command(first, "c1", { case: "command", value: { command: { case: "renew", value: {} } } });
  expect(await hpsd.attach.until(() => resultOf(first, "c1"))).toBe("hpsd refused (500)");
  command(first, "c2", { case: "command", value: { command: { case: "renew", value: {} } } });
  await hpsd.attach.until(() => hpsd.attach.attaches[1]);
});

test("a revoked installer stops and says so; one that is only thrown out comes back", async () => {
  start();
  const first = await hpsd.attach.until(live);
  first.down.end(new HpsError("aborted", "a newer Attach of this identity"));
  await hpsd.attach.until(() => hpsd.attach.attaches[1]);
  hpsd.attach.refusal = new HpsError("unauthenticated", "your certificate is revoked", {
    details: { reason: "revoked" },
  });
  const second = await hpsd.attach.until(live);
  second.down.end(new HpsError("unavailable", "cut"));
  await expect(running).resolves.toMatchObject({ code: "unauthenticated", message: "your certificate is revoked" });
});

test("an installation that ended ends its agent", async () => {
  start();
  const attached = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  attached.down.end(new HpsError("precondition", "the installation is over", { details: { state: "ended" } }));
  await expect(running).resolves.toMatchObject({ code: "precondition", message: "the installation is over" });
});

test("a rescue that ended on a machine with a system to go back to restarts it", async () => {
  const restart = vi.fn(async () => undefined);
  start({ restart });
  const attached = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  const details = { reason: "ended", why: "done", restart: "yes" };
  attached.down.end(new HpsError("unauthenticated", "the installation is over", { details }));
  await expect(running).resolves.toBeUndefined();
  expect(restart).toHaveBeenCalledOnce();
});

test("an hpsd that takes it for another is not worked for", async () => {
  hpsd.attach.welcome = { installation: HOST_ID };
  start();
  await hpsd.attach.until(() => hpsd.attach.attaches[2]);
  expect(events()).toEqual([]);
  expect(hpsd.agent.lines.join("")).toContain("takes this agent for that of another host or installation");
});

test("the clock is set once for a claim, before anything is asked of hpsd", async () => {
  const claim = { ...hpsd.claim, serverTime: parseTime(new Date(hpsd.claim.serverTime - 600_000).toISOString()) };
  const set: number[] = [];
  const setClock = async (time: number) => {
    expect(hpsd.est.asks).toHaveLength(0);
    set.push(time);
  };
  start({ claim, setClock });
  await hpsd.attach.until(done);
  stop.abort(new HpsError("cancelled", "killed"));
  await running;
  stop = new AbortController();
  start({ claim, setClock });
  await hpsd.attach.until(() => hpsd.attach.attaches[1]);
  expect(set).toEqual([claim.serverTime]);
  expect(hpsd.attach.events.join("\n")).toContain("ahead of the claim's time and has been set");
});

test("asked to stop, it leaves in order", async () => {
  start();
  const attached = await hpsd.attach.until(live);
  await hpsd.attach.until(done);
  stop.abort(new HpsError("cancelled", "stopped by SIGTERM"));
  await expect(running).resolves.toBeUndefined();
  await hpsd.attach.until(() => attached.ended);
});
