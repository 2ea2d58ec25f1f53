import { afterEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { EventBody } from "../link/attach-messages.ts";
import { createLog } from "../log.ts";
import { CONFIGURATION, CONTACT, ORDER } from "../testing/orders.ts";
import { Sequence } from "./sequence.ts";
import type { Job, Step } from "./step.ts";

const notAsked = () => {
  throw new HpsError("internal", "not asked here");
};
const job: Job = {
  clock: { offset: 0, action: "none", why: "" },
  facts: { macs: [], interfaces: [], disks: [] },
  configuration: async () => notAsked(),
  forgetConfiguration: () => undefined,
  contact: CONTACT,
  hostCertificate: notAsked,
  files: { read: notAsked, open: notAsked },
  tools: { open: notAsked },
  target: { open: notAsked, openSlot: notAsked, close: notAsked },
  record: { log: "", journal: "" },
};

function textOf(event: EventBody): string {
  if (event.case === "plan") return `plan ${event.value.steps?.join(" ")}`;
  if (event.case === "stepFailed") return `failed ${event.value.step}: ${event.value.reason}`;
  if (event.case === "stepProgress") return `progress ${event.value.step} ${event.value.done}/${event.value.total}`;
  return event.value !== undefined && "step" in event.value ? `${event.case} ${event.value.step}` : event.case;
}

/** A sequence of these steps, what it told hpsd, and a wait for a thing told. */
function rig(steps: readonly Step[], changes: Partial<Job> = {}) {
  const told: string[] = [];
  const waiters: { readonly text: string; readonly resolve: () => void }[] = [];
  const event = (body: EventBody) => {
    told.push(textOf(body));
    for (const { text, resolve } of waiters) if (told.includes(text)) resolve();
  };
  const heard = (text: string) =>
    new Promise<void>((resolve) => {
      if (told.includes(text)) resolve();
      waiters.push({ text, resolve });
    });
  const lines: string[] = [];
  const line = (source: string, text: string) => void lines.push(`${source}: ${text}`);
  const idle = Promise.withResolvers<void>();
  const onIdle = () => {
    told.push("idle");
    idle.resolve();
  };
  const sequence = new Sequence({
    steps,
    job: { ...job, ...changes },
    event,
    line,
    onIdle,
    log: createLog("error", () => undefined),
  });
  return { sequence, told, heard, lines, idle: idle.promise };
}

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort(new HpsError("cancelled", "the test is over"));
});

/** Runs it until the test is over. */
function start(sequence: Sequence): void {
  const end = new AbortController();
  ends.push(end);
  sequence.run(end.signal).catch(() => undefined);
}

const good = (name: string): Step => ({ name, run: async () => undefined });

test("nothing begins without permission; done steps are left out", async () => {
  const { sequence, told, idle } = rig([good("clock"), good("network"), good("storage")]);
  start(sequence);
  await new Promise(setImmediate);
  expect(told).toEqual(["plan clock network storage"]);
  sequence.permit(["clock", "network", "of another version"]);
  await idle;
  expect(told.slice(1)).toEqual(["stepStarted storage", "stepSucceeded storage", "idle"]);
  sequence.permit(["clock", "network"]); // a new stream says so again
  await new Promise(setImmediate);
  expect(told.filter((text) => text === "idle")).toHaveLength(1);
});

test("a failed step stops all until it is permitted again, then only what is left is done", async () => {
  let calls = 0;
  const flaky: Step = {
    name: "storage",
    run: async ({ progress, log }) => {
      calls += 1;
      progress(1, 2, "disks");
      log(`try ${calls}`);
      if (calls < 3) throw new HpsError("precondition", "disk sda holds data", { hint: "allow it" });
    },
  };
  const { sequence, told, heard, lines, idle } = rig([good("clock"), flaky, good("image")]);
  sequence.permit([]);
  start(sequence);
  await heard("failed storage: disk sda holds data (allow it)");
  await new Promise(setImmediate);
  expect(calls).toBe(1);
  sequence.permit([]); // hpsd has not heard yet that the clock is done: it is not done again
  while (calls < 2) await new Promise(setImmediate);
  await new Promise(setImmediate);
  sequence.permit([]);
  await idle;
  expect(calls).toBe(3);
  expect(lines).toEqual(["storage: try 1", "storage: try 2", "storage: try 3"]);
  expect(told.filter((text) => text.startsWith("stepSucceeded"))).toEqual([
    "stepSucceeded clock",
    "stepSucceeded storage",
    "stepSucceeded image",
  ]);
});

test("permission taken away in a step lets it end, and begins no other", async () => {
  const gate = Promise.withResolvers<void>();
  const { sequence, told, heard, idle } = rig([{ name: "storage", run: () => gate.promise }, good("image")]);
  sequence.permit([]);
  start(sequence);
  await heard("stepStarted storage");
  sequence.hold();
  gate.resolve();
  await heard("stepSucceeded storage");
  await new Promise(setImmediate);
  expect(told.at(-1)).toBe("stepSucceeded storage");
  sequence.permit(["storage"]);
  await idle;
  expect(told.slice(-2)).toEqual(["stepSucceeded image", "idle"]);
});

test("permission given and taken before anyone looked is no permission", async () => {
  const { sequence, told, idle } = rig([good("clock")]);
  start(sequence);
  sequence.permit([]);
  sequence.hold();
  await new Promise(setImmediate);
  expect(told).toEqual(["plan clock"]);
  sequence.permit([]);
  await idle;
});

test("a cancel ends a waiting and a running sequence, and is no failure of the step", async () => {
  const waiting = rig([good("clock")]);
  const first = new AbortController();
  const ended = waiting.sequence.run(first.signal);
  first.abort(new HpsError("cancelled", "enough"));
  await expect(ended).rejects.toThrow("enough");

  const endless: Step = {
    name: "image",
    run: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("torn")))),
  };
  const running = rig([endless]);
  const second = new AbortController();
  running.sequence.permit([]);
  const cut = running.sequence.run(second.signal);
  await running.heard("stepStarted image");
  second.abort(new HpsError("cancelled", "enough"));
  await expect(cut).rejects.toThrow("enough");
  expect(running.told.at(-1)).toBe("stepStarted image");
});

test("begun anew it stops what it does, says no more of it, and does all again that hpsd does not know", async () => {
  let calls = 0;
  const stuck = Promise.withResolvers<void>();
  const image: Step = {
    name: "image",
    run: async ({ signal, progress }) => {
      calls += 1;
      if (calls > 1) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      progress(1, 2, "bytes");
      stuck.resolve();
    },
  };
  const { sequence, told, heard, idle } = rig([good("storage"), image]);
  start(sequence);
  sequence.permit([]);
  await heard("stepStarted image");
  sequence.restart();
  await stuck.promise;
  await new Promise(setImmediate);
  expect(told.at(-1)).toBe("stepStarted image");
  sequence.permit([]);
  await idle;
  expect(told.slice(4)).toEqual([
    "stepStarted storage",
    "stepSucceeded storage",
    "stepStarted image",
    "stepSucceeded image",
    "idle",
  ]);
});

test("an error that is not ours is told as such, without its text", async () => {
  const { sequence, heard } = rig([{ name: "clock", run: () => Promise.reject(new TypeError("token=secret")) }]);
  sequence.permit([]);
  const end = new AbortController();
  const running = sequence.run(end.signal);
  await heard("failed clock: internal error: TypeError");
  end.abort(new HpsError("cancelled", "over"));
  await expect(running).rejects.toThrow("over");
});

test("what installs is planned no more where nothing is to be installed", async () => {
  const steps = [good("first"), { ...good("disk"), installs: true }, good("last")];
  const configuration = async () => CONFIGURATION;
  const { sequence, told, idle } = rig(steps, { configuration });
  start(sequence);
  sequence.permit([]);
  await idle;
  const first = ["plan first disk last", "stepStarted first", "stepSucceeded first"];
  expect(told).toEqual([...first, "plan first last", "stepStarted last", "stepSucceeded last", "idle"]);
});

test("what installs begins only when it is known that something is; that nobody can say fails it by name", async () => {
  const steps = [{ ...good("disk"), installs: true }];
  let asked = 0;
  const configuration = async () => {
    asked += 1;
    if (asked === 1) throw new HpsError("unavailable", "hpsd is away");
    return { ...CONFIGURATION, order: ORDER };
  };
  const { sequence, told, heard, idle } = rig(steps, { configuration });
  start(sequence);
  sequence.permit([]);
  await heard("failed disk: hpsd is away");
  sequence.permit([]);
  await idle;
  expect(told).toEqual([
    ...["plan disk", "stepStarted disk", "failed disk: hpsd is away"],
    ...["stepStarted disk", "stepSucceeded disk", "idle"],
  ]);
});
