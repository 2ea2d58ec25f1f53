import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { EventBody } from "../link/attach-messages.ts";
import { createLog } from "../log.ts";
import { Sequence } from "./sequence.ts";
import type { Job, Step } from "./step.ts";

const job: Job = {
  clock: { offset: 0, action: "none", why: "" },
  facts: { macs: [], interfaces: [], disks: [] },
  configuration: () => Promise.reject(new HpsError("internal", "not asked here")),
  service: () => {
    throw new HpsError("internal", "not asked here");
  },
};

function textOf(event: EventBody): string {
  if (event.case === "plan") return `plan ${event.value.steps?.join(" ")}`;
  if (event.case === "stepFailed") return `failed ${event.value.step}: ${event.value.reason}`;
  if (event.case === "stepProgress") return `progress ${event.value.step} ${event.value.done}/${event.value.total}`;
  return event.value !== undefined && "step" in event.value ? `${event.case} ${event.value.step}` : event.case;
}

/** A sequence of these steps, what it told hpsd, and a wait for a thing told. */
function rig(steps: readonly Step[]) {
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
  const sequence = new Sequence({ steps, job, event, line, log: createLog("error", () => undefined) });
  return { sequence, told, heard, lines };
}

const good = (name: string): Step => ({ name, run: async () => undefined });

test("nothing begins without permission; done steps are left out", async () => {
  const { sequence, told } = rig([good("clock"), good("network"), good("storage")]);
  const running = sequence.run(new AbortController().signal);
  await new Promise(setImmediate);
  expect(told).toEqual(["plan clock network storage"]);
  sequence.permit(["clock", "network", "of another version"]);
  await running;
  expect(told.slice(1)).toEqual(["stepStarted storage", "stepSucceeded storage"]);
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
  const { sequence, told, heard, lines } = rig([good("clock"), flaky, good("image")]);
  sequence.permit([]);
  const running = sequence.run(new AbortController().signal);
  await heard("failed storage: disk sda holds data (allow it)");
  await new Promise(setImmediate);
  expect(calls).toBe(1);
  sequence.permit([]); // hpsd has not heard yet that the clock is done: it is not done again
  while (calls < 2) await new Promise(setImmediate);
  await new Promise(setImmediate);
  sequence.permit([]);
  await running;
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
  const { sequence, told, heard } = rig([{ name: "storage", run: () => gate.promise }, good("image")]);
  sequence.permit([]);
  const running = sequence.run(new AbortController().signal);
  await heard("stepStarted storage");
  sequence.hold();
  gate.resolve();
  await heard("stepSucceeded storage");
  await new Promise(setImmediate);
  expect(told.at(-1)).toBe("stepSucceeded storage");
  sequence.permit(["storage"]);
  await running;
  expect(told.at(-1)).toBe("stepSucceeded image");
});

test("permission given and taken before anyone looked is no permission", async () => {
  const { sequence, told } = rig([good("clock")]);
  const running = sequence.run(new AbortController().signal);
  sequence.permit([]);
  sequence.hold();
  await new Promise(setImmediate);
  expect(told).toEqual(["plan clock"]);
  sequence.permit([]);
  await running;
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

test("an error that is not ours is told as such, without its text", async () => {
  const { sequence, heard } = rig([{ name: "clock", run: () => Promise.reject(new TypeError("token=secret")) }]);
  sequence.permit([]);
  const end = new AbortController();
  const running = sequence.run(end.signal);
  await heard("failed clock: internal error: TypeError");
  end.abort(new HpsError("cancelled", "over"));
  await expect(running).rejects.toThrow("over");
});
