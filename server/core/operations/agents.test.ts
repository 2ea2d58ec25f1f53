import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { JournalEntrySchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import { selectAudit } from "../../store/audit.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectJournal } from "../../store/journal.ts";
import { selectLogLines } from "../../store/log-lines.ts";
import { openOperations } from "./testing.ts";
import {
  event,
  failed,
  hello,
  line,
  plan,
  progress,
  type RequestInit,
  started,
  succeeded,
  TestStream,
} from "./testing-agent.ts";

async function journalOf(store: HpsStore, id: string) {
  const rows = await store.read((db) => selectJournal(db, id, { after: 0, limit: 1000 }));
  return rows.map((row) => fromBinary(JournalEntrySchema, row.entry));
}

/** The journal in words: an agent's event with its number, or the event of a change of state. */
async function wordsOf(store: HpsStore, id: string): Promise<string[]> {
  return (await journalOf(store, id)).map(({ entry }) => {
    if (entry.case === "event") return `${entry.value.sequence} ${entry.value.event.case}`;
    return entry.case === "change" ? entry.value.event : "";
  });
}

async function refusals(store: HpsStore) {
  return await store.read((db) => selectAudit(db, { clusters: "all", outcome: "refused", limit: 100 }));
}

const BOOT = { boot: { slot: "a", kernel: "6.1", image: "debian:12", healthy: true, reason: "" } };

describe("an installation", () => {
  test("runs from the first step to the report of the installed system", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    expect(await stream.welcome()).toMatchObject({
      ...{ hostId: rig.hostId, installation: id, acknowledgedSequence: 0n, doneSteps: [], proceed: true },
      serverVersion: "0.1.0",
    });
    stream.send(
      event(1, plan("network", "storage")),
      event(2, started("network")),
      line(3, Buffer.from([0, 255, 27, 10]), "network"),
      event(4, succeeded("network")),
      event(5, started("storage")),
      event(6, progress("storage", 40)),
    );
    await stream.untilAcknowledged(6);
    const { steps, attached, state } = await rig.installations.get(id);
    expect({ attached, state }).toEqual({ attached: true, state: "installing" });
    expect(steps).toMatchObject([
      { name: "network", state: "succeeded", attempt: 1 },
      { name: "storage", state: "running", done: 40, total: 100, unit: "bytes" },
    ]);
    stream.send(event(7, succeeded("storage")), event(8, { case: "finished", value: {} }));
    await stream.untilAcknowledged(8);
    expect(await rig.installations.get(id)).toMatchObject({ state: "rebooting" });
    const lines = await rig.store.read((db) => selectLogLines(db, id, { after: 0, last: 9 }));
    expect(lines).toMatchObject([{ sequence: 1, source: "network", text: Buffer.from([0, 255, 27, 10]) }]);

    const host = new TestStream(rig.agents, rig.host(true)).send(hello(newUuid(), BOOT));
    expect(await host.welcome()).toMatchObject({ hostId: rig.hostId, proceed: true });
    expect(await rig.installations.get(id)).toMatchObject({ state: "ended", outcome: "succeeded" });
    expect(rig.asked.slice(-3)).toEqual([`validate ${rig.hostId}`, `void ${id}`, `revoke ${id}`]);
    expect(await wordsOf(rig.store, id)).toEqual([
      ...["arm", "enrol", "1 plan", "2 stepStarted", "4 stepSucceeded", "5 stepStarted", "6 stepProgress"],
      ...["7 stepSucceeded", "8 finished", "finish", "report"],
    ]);
    const stored = await rig.store.read((db) =>
      db.selectFrom("host").select(["boot_json", "agent_version"]).where("id", "=", rig.hostId).executeTakeFirst(),
    );
    expect(stored).toEqual({ agent_version: "0.1.0", boot_json: JSON.stringify(BOOT.boot) });
    stream.cut();
    host.cut();
  });

  test.each([
    ["rebooting", false, ["enrol", "finish"]],
    ["installing", true, ["enrol"]],
    ["ended", true, ["enrol", "cancel"]],
  ] as const)("%s: a system whose certificate waits %s is not welcome", async (state, waiting, events) => {
    await using rig = await openOperations();
    const id = await rig.opened(...events);
    const before = waiting ? rig.time.now : rig.time.now - 1_000;
    const host = new TestStream(rig.agents, rig.host(waiting, before)).send(hello(newUuid(), BOOT));
    expect(await host.ended).toMatchObject({ code: "precondition", details: { state } });
    expect(await rig.installations.get(id)).toMatchObject({ state });
    expect(rig.asked.filter((what) => what.startsWith("validate"))).toEqual([]);
  });

  test("a failed step stops it until an operator says retry; what is done stays done", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    stream.send(event(1, plan("a", "b")), event(2, started("a")), event(3, succeeded("a")), event(4, started("b")));
    stream.send(event(5, failed("b", "no disk\u001b[2J")), line(6, "last words"));
    await stream.untilAcknowledged(6);
    const view = await rig.installations.get(id);
    expect(view).toMatchObject({ state: "failed", reason: "step b failed: no disk\u001b[2J" });
    expect(view.steps[1]).toMatchObject({ state: "failed", reason: "no disk\u001b[2J" });
    await rig.store.write(async (tx) => void (await rig.installations.apply(tx, id, "retry", { actor: "alice" })));
    expect(rig.asked.at(-1)).toBe(`proceed ${rig.hostId} a`);
    expect(await stream.untilCommand("proceed")).toMatchObject({
      value: { command: { case: "proceed", value: { doneSteps: ["a"] } } },
    });
    stream.send(event(7, started("b")), event(8, succeeded("b")), event(9, { case: "finished", value: {} }));
    await stream.untilAcknowledged(9);
    expect(await rig.installations.get(id)).toMatchObject({ state: "rebooting", reason: "" });
    stream.cut();
  });

  test("an agent that does not wait for the word to proceed is stopped, and nothing of it is stored", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol", "re-enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    expect(await stream.welcome()).toMatchObject({ proceed: false });
    stream.send(event(1, plan("a")));
    await stream.untilAcknowledged(1);
    stream.send(line(2, "kept with the next"), event(3, started("a")));
    expect(await stream.ended).toMatchObject({ code: "precondition", details: { state: "interrupted" } });
    expect(await refusals(rig.store)).toEqual([]);
  });

  test("an agent process that starts again with its certificate is interrupted; one that enrolled anew is not", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const first = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
    await first.untilAcknowledged(1);
    first.cut();
    await first.ended;
    rig.time.now += 60_000;
    const second = new TestStream(rig.agents, rig.installer(id, rig.time.now)).send(hello());
    expect(await second.welcome()).toMatchObject({ proceed: true });
    second.cut();
    rig.time.now += 60_000;
    const third = new TestStream(rig.agents, rig.installer(id, rig.time.now - 60_001)).send(hello());
    expect(await third.welcome()).toMatchObject({ proceed: false });
    expect(await rig.installations.get(id)).toMatchObject({ state: "interrupted", reason: "the agent started again" });
    third.cut();
  });

  test("an agent says how long its machine is up, and no machine is up for less than nothing", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const booted: (number | undefined)[] = [];
    rig.presence.onAttach(({ bootedAt }) => void booted.push(bootedAt));
    const said = (seconds: bigint) =>
      new TestStream(rig.agents, rig.installer(id)).send(hello(newUuid(), { uptime: { seconds, nanos: 0 } }));
    const stream = said(7n);
    await stream.welcome();
    stream.cut();
    expect(booted).toEqual([rig.time.now - 7000]);
    expect(await said(-1n).ended).toMatchObject({ code: "invalid" });
  });

  test("the same run that comes back goes on where it was acknowledged", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const runId = newUuid();
    const first = new TestStream(rig.agents, rig.installer(id)).send(hello(runId), event(1, plan("a")), line(2, "x"));
    await first.untilAcknowledged(2);
    first.cut();
    const second = new TestStream(rig.agents, rig.installer(id)).send(hello(runId));
    expect(await second.welcome()).toMatchObject({ acknowledgedSequence: 2n, proceed: true });
    second.send(line(1, "again"), line(2, "again"), event(3, started("a")));
    await second.untilAcknowledged(3);
    expect(await wordsOf(rig.store, id)).toEqual(["arm", "enrol", "1 plan", "3 stepStarted"]);
    expect((await rig.installations.get(id)).lastLog).toBe(1);
    second.cut();
  });

  test("progress is in the steps at once, in the journal once a second", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(
      hello(),
      event(1, plan("a")),
      event(2, started("a")),
    );
    for (let sequence = 3; sequence <= 50; sequence += 1) stream.send(event(sequence, progress("a", sequence)));
    await stream.untilAcknowledged(50);
    rig.time.now += 1000;
    stream.send(event(51, progress("a", 51)));
    await stream.untilAcknowledged(51);
    expect((await rig.installations.get(id)).steps[0]).toMatchObject({ done: 51 });
    expect((await wordsOf(rig.store, id)).slice(4)).toEqual(["3 stepProgress", "51 stepProgress"]);
    stream.cut();
  });

  test("that an agent came and went is in the feed, for those that watch hosts", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const before = await rig.changes.last();
    const stop = new AbortController();
    const feed = rig.changes.followPages(before, stop.signal);
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    const about = { kind: "host", objectId: rig.hostId, clusterId: rig.clusterId };
    expect((await feed.next()).value).toMatchObject([about]);
    expect(rig.presence.isAttached(rig.hostId)).toBe(true);
    stream.cut();
    expect((await feed.next()).value).toMatchObject([about]);
    expect(rig.presence.isAttached(rig.hostId)).toBe(false);
    stop.abort();
    await stream.ended;
  });

  test("two agents with one identity: the newer closes the older, and nothing is stored twice", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const older = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
    await older.untilAcknowledged(1);
    const newer = new TestStream(rig.agents, rig.installer(id)).send(hello());
    await newer.welcome();
    expect(await older.ended).toMatchObject({ code: "aborted" });
    newer.send(event(1, plan("a")));
    await newer.untilAcknowledged(1);
    expect(await wordsOf(rig.store, id)).toContain("1 plan");
    newer.cut();
  });

  test("when it is cancelled the stream ends with that, and a later attach is told", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    await stream.welcome();
    await rig.store.write(async (tx) => void (await rig.installations.apply(tx, id, "cancel", { actor: "alice" })));
    stream.send(line(1, "too late"));
    expect(await stream.ended).toMatchObject({ code: "unauthenticated", details: { reason: "ended" } });
    const late = new TestStream(rig.agents, rig.installer(id)).send(hello());
    await expect(late.welcome()).rejects.toMatchObject({ code: "precondition", details: { outcome: "cancelled" } });
  });
});

describe("a hostile agent", () => {
  const planned: readonly RequestInit[] = [event(1, plan("a")), event(2, started("a"))];
  const many = (count: number) => Array.from({ length: count }, (_, index) => `s${index}`);
  test.each<[string, readonly RequestInit[], RegExp]>([
    ["a gap", [...planned, line(4, "x")], /message 4 came, but 3 never did/],
    ["a first number that is not 1", [line(2, "x")], /but 1 never did/],
    ["number 0", [line(0, "x")], /sequence number/],
    ["a negative number", [event(-1, plan("a"))], /sequence number/],
    ["an endless number", [{ case: "log", value: { sequence: 2n ** 60n, source: "agent" } }], /sequence number/],
    ["a plan of 65 steps", [event(1, plan(...many(65)))], /1 to 64 steps/],
    ["an empty plan", [event(1, plan())], /1 to 64 steps/],
    ["a step twice", [event(1, plan("a", "a"))], /twice/],
    ["a step with a terminal escape", [event(1, plan("\u001b[2J"))], /a step's name: "\\x1b\[2J"/],
    ["a step that is not planned", [...planned, event(3, started("b"))], /step b is not in the plan/],
    ["success of what did not start", [event(1, plan("a")), event(2, succeeded("a"))], /is pending/],
    ["an end before the end", [...planned, event(3, { case: "finished", value: {} })], /step a is running/],
    ["an end without a plan", [event(1, { case: "finished", value: {} })], /never sent/],
    ["negative progress", [...planned, event(3, progress("a", -1))], /count of progress/],
    ["a long reason", [...planned, event(3, failed("a", "x".repeat(4097)))], /longer than 4096/],
    ["a long line", [line(1, Buffer.alloc(65_537))], /longer than 65536/],
    ["a source that is no name", [line(1, "x", "../x")], /log source/],
    ["an empty event", [{ case: "event", value: { sequence: 1n } }], /no known kind/],
    ["an empty message", [{ case: undefined }], /no known kind/],
    ["a boot report while installing", [event(1, { case: "boot", value: {} })], /does not report this/],
    ["Hello again", [hello()], /once/],
    ["a time without a year", [{ case: "event", value: { sequence: 1n, time: { seconds: 2n ** 62n } } }], /years/],
  ])("%s ends its stream with a clear error and one audit event", async (_, messages, expected) => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello(), ...messages);
    const error = await stream.ended;
    expect(error).toMatchObject({ code: "invalid", message: expect.stringMatching(expected) });
    const found = await refusals(rig.store);
    expect(found).toMatchObject([{ target: `installation:${id}`, actor: rig.installer(id).principal.certificate.uri }]);
    expect(error).toMatchObject({ details: { incident: found[0]?.incident } });
    expect(rig.presence.isAttached(rig.hostId)).toBe(false);
  });

  test.each<[string, RequestInit, string]>([
    ["no Hello", line(1, "x"), "invalid"],
    ["a run id that is none", hello("run"), "invalid"],
    ["a version that is none", hello(newUuid(), { version: "x" }), "invalid"],
    ["a version that is not served", hello(newUuid(), { version: "0.2.0" }), "precondition"],
  ])("%s is refused", async (_, message, code) => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol");
    expect(await new TestStream(rig.agents, rig.installer(id)).send(message).ended).toMatchObject({ code });
  });

  test("another agent's run is not his", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol", "finish");
    const runId = newUuid();
    const installer = new TestStream(rig.agents, rig.installer(id)).send(hello(runId));
    await installer.welcome();
    const host = new TestStream(rig.agents, rig.host()).send(hello(runId, BOOT));
    expect(await host.ended).toMatchObject({ code: "invalid", message: /another agent's/ });
    installer.cut();
  });

  test("a silent one is let go, also when it never said Hello", async () => {
    await using rig = await openOperations({ helloMs: 20 });
    const id = await rig.opened("enrol");
    expect(await new TestStream(rig.agents, rig.installer(id)).ended).toMatchObject({ code: "deadline" });
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    await stream.welcome();
    rig.time.now += 89_999;
    expect(rig.presence.sweep()).toBe(0);
    rig.time.now += 1;
    expect(rig.presence.isGone(rig.hostId, rig.time.now)).toBe(true);
    expect(rig.presence.sweep()).toBe(1);
    expect(await stream.ended).toMatchObject({ code: "deadline" });
  });

  test("an installed host reports its boot and nothing else", async () => {
    await using rig = await openOperations();
    await expect(new TestStream(rig.agents, rig.host()).send(hello()).ended).resolves.toMatchObject({
      code: "invalid",
    });
    const stream = new TestStream(rig.agents, rig.host()).send(hello(newUuid(), BOOT));
    const boot = { ...BOOT.boot, healthy: false, reason: "no network" };
    stream.send(event(1, { case: "boot", value: boot }));
    await stream.untilAcknowledged(1);
    stream.send(event(2, plan("a")));
    expect(await stream.ended).toMatchObject({ code: "invalid" });
    expect(await refusals(rig.store)).toHaveLength(2);
  });

  test("a flood of log lines leaves the newest, and says how many it dropped", async () => {
    const maxCost = 400_000;
    await using rig = await openOperations({ log: { maxCost, slack: 40_000 } });
    const id = await rig.opened("enrol");
    const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
    const count = 2000;
    for (let sequence = 1; sequence <= count; sequence += 1)
      stream.send(line(sequence, `${sequence} `.padEnd(1000, "x")));
    await stream.untilAcknowledged(count);
    const kept = await rig.store.read((db) => selectLogLines(db, id, { after: 0, last: count }));
    expect(kept.at(-1)?.sequence).toBe(count);
    expect(kept.length * 1256).toBeLessThanOrEqual(maxCost);
    expect(kept.length * 1256).toBeGreaterThan(maxCost / 2);
    stream.cut();
    const signal = new AbortController().signal;
    const pages = [];
    for await (const page of rig.installations.watchLog(id, { after: 0, follow: false, signal })) pages.push(...page);
    expect(pages).toHaveLength(kept.length + 1);
    const dropped = count - kept.length;
    expect(pages[0]).toMatchObject({ sequence: dropped, source: "hpsd" });
    expect(Buffer.from(pages[0]?.text ?? []).toString()).toContain(`${dropped} older lines`);
  });
});

test("stop tells every agent and waits for what they sent", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol");
  const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
  await stream.welcome();
  await rig.agents.stop(5_000);
  expect(await stream.ended).toMatchObject({ code: "unavailable" });
  expect(await new TestStream(rig.agents, rig.installer(id)).send(hello()).ended).toMatchObject({
    code: "unavailable",
  });
});
