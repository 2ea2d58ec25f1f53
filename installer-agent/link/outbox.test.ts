import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AttachMessage } from "./attach-messages.ts";
import { Outbox } from "./outbox.ts";

/** What hpsd does with the messages of runs: takes the next number, ignores what it has, refuses a gap. */
class ModelServer {
  readonly runs = new Map<string, string[]>();

  take(runId: string, message: AttachMessage): void {
    const { value } = message.message ?? {};
    if (value === undefined || !("sequence" in value)) throw new Error("not a numbered message");
    const lines = this.runs.get(runId) ?? [];
    this.runs.set(runId, lines);
    const number = Number(value.sequence);
    const next = this.acknowledged(runId) + 1;
    if (number > next) throw new Error(`number ${number} leaves a gap before ${next}`);
    if (number === next) lines.push(textOf(message));
  }

  acknowledged(runId: string): number {
    return this.runs.get(runId)?.length ?? 0;
  }

  /** As a restored backup does. */
  forget(runId: string, count: number): void {
    this.runs.set(runId, this.runs.get(runId)?.slice(0, -count) ?? []);
  }

  get all(): string[] {
    return [...this.runs.values()].flat();
  }
}

function textOf({ message }: AttachMessage): string {
  if (message?.case === "log") return `log ${Buffer.from(message.value.text ?? []).toString()}`;
  if (message?.case !== "event") return "?";
  const event = message.value.event;
  if (event?.case === "stepProgress") return `progress ${event.value.step} ${event.value.done}`;
  if (event?.case === "stepStarted") return `started ${event.value.step}`;
  return event?.case ?? "?";
}

function drain(outbox: Outbox, server: ModelServer): void {
  for (let message = outbox.next(); message !== undefined; message = outbox.next()) {
    server.take(outbox.runId, message);
    outbox.acknowledge(BigInt(server.acknowledged(outbox.runId)));
  }
}

function connect(outbox: Outbox, server: ModelServer): void {
  if (!outbox.resume(BigInt(server.acknowledged(outbox.runId)))) outbox.beginRun();
}

const progress = (step: string, done: number) =>
  ({ case: "stepProgress", value: { step, done: BigInt(done), total: 100n, unit: "bytes" } }) as const;
const started = (step: string) => ({ case: "stepStarted", value: { step } }) as const;

type Action =
  | { readonly do: "start" | "progress" | "log"; readonly step: string }
  | { readonly do: "send"; readonly count: number }
  | { readonly do: "acknowledge" | "lose" | "cut" };

const actions = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom("start", "progress", "log"), step: fc.constantFrom("storage", "image") }),
    fc.record({ do: fc.constant("send" as const), count: fc.integer({ min: 1, max: 5 }) }),
    // A cut after a send is one between the server's commit and its reply; what is sent after `lose` never arrives.
    fc.record({ do: fc.constantFrom("acknowledge", "lose", "cut") }),
  ),
  { maxLength: 120 },
);

/** Runs the actions; gives what was emitted, in order. */
function play(outbox: Outbox, server: ModelServer, list: readonly Action[]): string[] {
  const emitted: string[] = [];
  let count = 0;
  let lost = false;
  for (const action of list) {
    count += 1;
    if (action.do === "start") {
      outbox.event(started(`${action.step}${count}`));
      emitted.push(`started ${action.step}${count}`);
    } else if (action.do === "progress") {
      outbox.event(progress(action.step, count));
      emitted.push(`progress ${action.step} ${count}`);
    } else if (action.do === "log") {
      outbox.log("test", `line ${count}`);
      emitted.push(`log line ${count}`);
    } else if (action.do === "send") {
      for (let sent = 0; sent < action.count; sent += 1) {
        const message = outbox.next();
        if (message !== undefined && !lost) server.take(outbox.runId, message);
      }
    } else if (action.do === "acknowledge") {
      if (!lost) outbox.acknowledge(BigInt(server.acknowledged(outbox.runId)));
    } else if (action.do === "lose") lost = true;
    else {
      connect(outbox, server);
      lost = false;
    }
  }
  return emitted;
}

describe("outbox", () => {
  test("whatever is cut, the server has everything once and in order, progress that was overtaken apart", () => {
    fc.assert(
      fc.property(actions, (list) => {
        const outbox = new Outbox(1_048_576);
        const server = new ModelServer();
        const emitted = play(outbox, server, list);
        connect(outbox, server);
        drain(outbox, server);
        expect(outbox.size).toBe(0);
        const got = new Set(server.all);
        const missing = emitted.filter((text) => !got.has(text));
        expect(server.all).toEqual(emitted.filter((text) => got.has(text)));
        for (const text of missing) expect(text).toMatch(/^progress/);
        for (const step of ["storage", "image"]) {
          const last = emitted.findLast((text) => text.startsWith(`progress ${step}`));
          if (last !== undefined) expect(server.all).toContain(last);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("with little room the oldest waiting lines go, and the line in their place says how many", () => {
    fc.assert(
      fc.property(actions, fc.integer({ min: 1, max: 400 }), (list, flood) => {
        const outbox = new Outbox(65_536);
        const server = new ModelServer();
        const emitted = play(outbox, server, list);
        for (let line = 0; line < flood; line += 1) outbox.log("flood", `flood ${line} ${"x".repeat(300)}`);
        emitted.push(...Array.from({ length: flood }, (_, line) => `log flood ${line} ${"x".repeat(300)}`));
        outbox.event(started("last"));
        emitted.push("started last");
        connect(outbox, server);
        drain(outbox, server);
        const notices = server.all.map((text) => /^log (\d+) log lines were dropped/.exec(text)?.[1]);
        const dropped = notices.reduce((sum, count) => sum + Number(count ?? 0), 0);
        const got = server.all.filter((text) => !text.includes("were dropped here"));
        const kept = new Set(got);
        expect(got).toEqual(emitted.filter((text) => kept.has(text)));
        expect(emitted.filter((text) => text.startsWith("log") && !kept.has(text))).toHaveLength(dropped);
        expect(got.at(-1)).toBe("started last");
      }),
      { numRuns: 100 },
    );
  });

  test("a flood while nobody listens stays within the limit", () => {
    const outbox = new Outbox(1_048_576);
    for (let line = 0; line < 50_000; line += 1) {
      outbox.log("flood", "x".repeat(line % 100 === 0 ? 100_000 : 100));
      outbox.event(progress("image", line));
    }
    expect(outbox.size).toBeLessThan(1_048_576 / 256);
    const server = new ModelServer();
    drain(outbox, server);
    expect(server.all.join("").length).toBeLessThan(1_048_576);
    expect(server.all).toContain("progress image 49999");
    expect(server.all.filter((text) => text.startsWith("progress"))).toHaveLength(1);
  });

  test("what is on its way is bounded until it is acknowledged", () => {
    const outbox = new Outbox(8_388_608);
    for (let line = 0; line < 2000; line += 1) outbox.log("test", `line ${line}`);
    let sent = 0;
    while (outbox.next() !== undefined) sent += 1;
    expect(sent).toBe(512);
    outbox.acknowledge(10n);
    while (outbox.next() !== undefined) sent += 1;
    expect(sent).toBe(522);
  });

  test("a server that forgot what it had acknowledged is given a new run: the plan and the lines, no event of a step", () => {
    const outbox = new Outbox(1_048_576);
    const server = new ModelServer();
    outbox.event({ case: "plan", value: { steps: ["clock"] } });
    for (const step of ["a", "b", "c"]) outbox.event(started(step));
    drain(outbox, server);
    const first = outbox.runId;
    server.forget(first, 2);
    outbox.event(started("d"));
    outbox.event(progress("d", 1));
    outbox.log("test", "x");
    connect(outbox, server);
    drain(outbox, server);
    expect(outbox.runId).not.toBe(first);
    expect(server.runs.get(outbox.runId)).toEqual(["plan", "log x"]);
    expect(outbox.size).toBe(0);
  });

  test("an acknowledgement of what was never sent is refused", () => {
    const outbox = new Outbox(1_048_576);
    outbox.event(started("a"));
    expect(() => outbox.acknowledge(1n)).toThrow("hpsd acknowledged 1, but 0 is the last");
  });

  test("a listener hears of items and acknowledgements, until it goes", () => {
    const outbox = new Outbox(1_048_576);
    let heard = 0;
    const stop = outbox.listen(() => {
      heard += 1;
    });
    outbox.log("test", "x");
    outbox.next();
    outbox.acknowledge(1n);
    stop();
    outbox.log("test", "y");
    expect(heard).toBe(2);
  });
});

test("it is known what hpsd has not heard, and what it had not when it said something", () => {
  const outbox = new Outbox(100_000);
  outbox.event({ case: "rebootPaused", value: { paused: true } });
  outbox.log("agent", "a line");
  expect([outbox.owes("rebootPaused"), outbox.owes("stepFailed")]).toEqual([true, false]);
  outbox.next();
  outbox.next();
  expect([outbox.owes("rebootPaused", 0n), outbox.owes("rebootPaused", 1n)]).toEqual([true, false]);
  outbox.acknowledge(1n);
  expect([outbox.owes("rebootPaused"), outbox.owes("rebootPaused", 0n)]).toEqual([false, false]);
});
