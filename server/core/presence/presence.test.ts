import { describe, expect, test } from "vitest";
import type { HpsError } from "../../../proto/values/hps-error.ts";
import { selectAudit } from "../../store/audit.ts";
import { Audit } from "../audit/audit.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import type { CommandInit } from "./pending-commands.ts";
import { type Attachment, Presence } from "./presence.ts";
import { raiseTwoMachines } from "./two-machines.ts";

function rigOf(options: { readonly commandMs?: number } = {}) {
  const time = { now: 0 };
  const alerts: string[] = [];
  const onTwoMachines = (latest: Attachment) => void alerts.push(latest.identity);
  const presence = new Presence({ clock: () => time.now, onTwoMachines, ...options });
  const attach = (more: Partial<Attachment> = {}) => {
    const sent: CommandInit[] = [];
    const closed: HpsError[] = [];
    const attached = presence.attach({
      ...{ identity: "spiffe://x/host/h1", hostId: "h1", clusterId: "c", runId: "r1", address: "192.0.2.1" },
      version: "0.1.0",
      send: (command) => void sent.push(command),
      close: (reason) => {
        closed.push(reason);
        attached.detach();
      },
      ...more,
    });
    return { ...attached, sent, closed };
  };
  return { time, alerts, presence, attach };
}

describe("one stream per identity", () => {
  test("the newer closes the older, whose end does not detach the newer", () => {
    const { presence, attach } = rigOf();
    const older = attach();
    const newer = attach();
    expect(older.closed).toMatchObject([{ code: "aborted" }]);
    older.detach();
    expect(presence.isAttached("h1")).toBe(true);
    newer.detach();
    newer.detach();
    expect(presence.isAttached("h1")).toBe(false);
    expect(presence.isGone("h1", 0)).toBe(true);
  });

  test("who waits for an agent's end hears it once, and not of one that a newer stream replaced", () => {
    const { presence, attach } = rigOf();
    const left: string[] = [];
    presence.onDetach(({ runId }) => void left.push(runId));
    const older = attach();
    const newer = attach({ runId: "r2" });
    older.detach();
    expect(left).toEqual([]);
    newer.detach();
    newer.detach();
    expect(left).toEqual(["r2"]);
  });

  test("changing places more than 3 times in 5 minutes is raised once per series", () => {
    const { alerts, attach, time } = rigOf();
    const move = (n: number) => attach({ runId: `r${n % 2}` });
    for (let n = 0; n <= 3; n += 1) move(n);
    expect(alerts).toEqual([]);
    for (let n = 4; n < 20; n += 1) move(n);
    expect(alerts).toEqual(["spiffe://x/host/h1"]);
    time.now += 300_001;
    for (let n = 0; n <= 6; n += 1) move(n);
    expect(alerts).toHaveLength(2);
  });

  test("slow changes, and one machine that comes back again and again, are not", () => {
    const { alerts, attach, time } = rigOf();
    for (let n = 0; n < 20; n += 1) attach();
    for (let n = 0; n < 20; n += 1) {
      attach({ address: `192.0.2.${n}` });
      time.now += 100_000;
    }
    expect(alerts).toEqual([]);
  });
});

describe("commands", () => {
  test("resolve and reject by the agent's result, whatever comes beside", async () => {
    const { presence, attach } = rigOf();
    const { sent, answered } = attach();
    const done = presence.send("h1", { case: "renew", value: {} });
    const refused = presence.send("h1", { case: "renew", value: {} });
    answered("unknown", "");
    answered(sent[1]?.id ?? "", "busy \u001b[2J");
    answered(sent[1]?.id ?? "", "");
    answered(sent[0]?.id ?? "", "");
    await done;
    await expect(refused).rejects.toMatchObject({ code: "precondition", message: /"busy \\x1b\[2J"/ });
  });

  test("no agent, an agent that leaves, one that does not answer, one that has enough to do", async () => {
    const { presence, attach } = rigOf({ commandMs: 10 });
    const command = { case: "renew" as const, value: {} };
    await expect(presence.send("h1", command)).rejects.toMatchObject({ code: "unavailable" });
    const first = attach();
    const late = presence.send("h1", command);
    await expect(late).rejects.toMatchObject({ code: "deadline" });
    const left = presence.send("h1", command);
    first.detach();
    await expect(left).rejects.toMatchObject({ code: "unavailable" });
    attach();
    const many = Array.from({ length: 33 }, () => presence.send("h1", command));
    const results = await Promise.allSettled(many);
    expect(results.filter((r) => r.status === "rejected" && r.reason.code === "exhausted")).toHaveLength(1);
  });

  test("go to the agent that attached last", async () => {
    const { presence, attach } = rigOf();
    const installer = attach({ identity: "spiffe://x/installer/i1" });
    const host = attach();
    presence.tell("h1", { case: "renew", value: {} });
    expect([installer.sent.length, host.sent.length]).toEqual([0, 1]);
    host.detach();
    presence.tell("h1", { case: "renew", value: {} });
    expect(installer.sent).toHaveLength(1);
  });
});

test("silence closes; a sign of life does not; all who are there are listed", () => {
  const { presence, attach, time } = rigOf();
  const silent = attach();
  const alive = attach({ identity: "spiffe://x/host/h2", hostId: "h2", version: "0.2.0" });
  expect([...presence.agents()].map(({ version }) => version)).toEqual(["0.1.0", "0.2.0"]);
  time.now = 60_000;
  alive.seen();
  expect([presence.lastHeardAt("h2"), presence.lastHeardAt("h3")]).toEqual([60_000, undefined]);
  time.now = 90_000;
  expect([presence.isGone("h1", time.now), presence.isGone("h2", time.now)]).toEqual([true, false]);
  expect(presence.sweep()).toBe(1);
  expect(silent.closed).toMatchObject([{ code: "deadline" }]);
  expect(alive.closed).toEqual([]);
});

test("stop tells everyone, lets nobody in, and waits no longer than it may", async () => {
  const { presence, attach } = rigOf();
  const { closed } = attach();
  attach({ identity: "spiffe://x/host/h2", hostId: "h2", close: () => undefined });
  await presence.stop(20);
  expect(closed).toMatchObject([{ code: "unavailable" }]);
  expect(() => attach()).toThrow("server is stopping");
});

test("two machines are raised in the audit log and in the log, under one incident id", async () => {
  await using store = await openTestStore();
  const warned = Promise.withResolvers<Readonly<Record<string, string>>>();
  const raise = raiseTwoMachines({
    refusals: new Audit(store, () => 1),
    warn: (message, details) => warned.resolve({ message, ...details }),
  });
  raise(LATEST);
  const warning = await warned.promise;
  const [event] = await store.read((db) => selectAudit(db, { clusters: "all", limit: 2 }));
  expect(event).toMatchObject({ outcome: "refused", target: "host:h1", reason: "one identity, two machines" });
  expect(warning).toMatchObject({ message: "one identity, two machines", incident: event?.incident, run: "r2" });
});

const LATEST: Attachment = {
  ...{ identity: "spiffe://x/host/h1", hostId: "h1", clusterId: "c", runId: "r2", address: "192.0.2.9" },
  version: "0.1.0",
  send: () => undefined,
  close: () => undefined,
};
