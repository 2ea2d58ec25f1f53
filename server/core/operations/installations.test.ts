import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { InstallationState, JournalEntrySchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { selectAudit } from "../../store/audit.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectInstalledHost, updateHostReport } from "../../store/installed-host.ts";
import { selectJournal } from "../../store/journal.ts";
import { OPEN } from "../hosts/life-cycle.ts";
import { installationStateOf } from "./installation-life.ts";
import { ALICE, openOperations } from "./testing.ts";

const NAMES = new Map(Object.entries(InstallationState).map(([name, number]) => [Number(number), name]));

async function changesOf(store: HpsStore, id: string): Promise<string[]> {
  const rows = await store.read((db) => selectJournal(db, id, { after: 0, limit: 100 }));
  expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, index) => index + 1));
  return rows.map((row) => {
    const { entry } = fromBinary(JournalEntrySchema, row.entry);
    if (entry.case !== "change") return entry.case ?? "";
    const { from, to, event, actor } = entry.value;
    return `${NAMES.get(from)} ${event} ${NAMES.get(to)} ${actor}`;
  });
}

describe("arm", () => {
  test("opens an installation that holds the host, once", async () => {
    await using rig = await openOperations();
    const { installations, hostId, asked } = rig;
    const armed = await installations.arm(ALICE, hostId, { image: "debian:12", wipeDiskSerials: ["A 1", "A 1", "B"] });
    expect(armed).toMatchObject({
      ...{ state: "armed", outcome: "open", cluster: "lab", host: "web01", armedBy: "alice", image: "debian:12" },
      ...{ wipeDiskSerials: ["A 1", "B"], windowEndAt: rig.time.now + 3_600_000, steps: [], lastJournal: 1 },
    });
    expect(asked).toEqual([`suspend ${hostId}`]);
    await expect(installations.arm(ALICE, hostId, { image: "", wipeDiskSerials: [] })).rejects.toMatchObject({
      code: "precondition",
      message: "cannot arm a host that is armed",
      hint: "boot the machine from the network, or disarm the host",
    });
    expect(await rig.store.read((db) => installations.openOf(db, hostId))).toMatchObject({ id: armed.id });
    const audit = await rig.store.read((db) => selectAudit(db, { clusters: "all", limit: 10 }));
    expect(audit).toMatchObject([{ outcome: "allowed", target: `installation:${armed.id}`, clusterId: rig.clusterId }]);
  });

  test.each([
    [{ windowMs: 59_999 }],
    [{ windowMs: 7 * 86_400_000 + 1 }],
    [{ windowMs: Number.NaN }],
    [{ image: "Debian" }],
    [{ wipeDiskSerials: ["x".repeat(129)] }],
    [{ wipeDiskSerials: [""] }],
    [{ wipeDiskSerials: Array.from({ length: 65 }, (_, i) => `s${i}`) }],
  ])("refuses %j", async (wrong) => {
    await using rig = await openOperations();
    const request = { image: "", wipeDiskSerials: [], ...wrong };
    await expect(rig.installations.arm(ALICE, rig.hostId, request)).rejects.toMatchObject({ code: "invalid" });
    expect(await rig.installations.list({ clusters: "all", limit: 10 })).toEqual([]);
  });

  test("an unknown host is not found, and nothing is written", async () => {
    await using rig = await openOperations();
    await expect(rig.installations.arm(ALICE, "none", { image: "", wipeDiskSerials: [] })).rejects.toMatchObject({
      code: "not-found",
    });
    expect(await rig.store.read((db) => selectAudit(db, { clusters: "all", limit: 10 }))).toEqual([]);
  });
});

describe("the life of an installation", () => {
  test("a whole one: the host is not installed from enrolment on, and installed again at the report", async () => {
    await using rig = await openOperations();
    const { store, hostId, installations } = rig;
    await store.write((tx) => updateHostReport(tx, hostId, { installedAt: 5, updatedAt: 5 }));
    const id = await rig.opened();
    const at = () => store.read(async (db) => (await selectInstalledHost(db, hostId))?.installedAt);
    expect(await at()).toBe(5);
    await store.write(async (tx) => void (await installations.apply(tx, id, "enrol", { actor: "a" })));
    expect(await at()).toBeNull();
    await store.write(async (tx) => void (await installations.apply(tx, id, "finish", { actor: "a" })));
    await store.write(async (tx) => void (await installations.apply(tx, id, "report", { actor: "a" })));
    expect(await at()).toBe(rig.time.now);
    expect(await installations.get(id)).toMatchObject({ state: "ended", outcome: "succeeded", endedAt: rig.time.now });
    expect(rig.asked).toEqual([`suspend ${hostId}`, `void ${id}`, `revoke ${id}`]);
    expect(await changesOf(store, id)).toEqual([
      "UNSPECIFIED arm ARMED alice",
      "ARMED enrol INSTALLING a",
      "INSTALLING finish REBOOTING a",
      "REBOOTING report ENDED a",
    ]);
    const late = store.write((tx) => installations.apply(tx, id, "cancel", { actor: "a" }));
    await expect(late).rejects.toMatchObject({ code: "precondition" });
  });

  test("what ends before a machine enrolled gives an installed host its certificate back", async () => {
    await using rig = await openOperations();
    await rig.store.write((tx) => updateHostReport(tx, rig.hostId, { installedAt: 5, updatedAt: 5 }));
    await rig.opened();
    await rig.installations.disarm(ALICE, rig.hostId);
    expect(rig.asked).toContain(`resume ${rig.hostId}`);
    rig.asked.length = 0;
    const id = await rig.opened("enrol");
    await rig.installations.cancel(ALICE, id, "wrong machine");
    const ended = [`void ${id}`, `revoke ${id}`, `revoke host ${rig.hostId}`, `cancel ${rig.hostId}`];
    expect(rig.asked).toEqual([`suspend ${rig.hostId}`, ...ended]);
    expect(await rig.installations.get(id)).toMatchObject({ outcome: "cancelled", reason: "wrong machine" });
    await expect(rig.installations.disarm(ALICE, rig.hostId)).rejects.toMatchObject({
      code: "precondition",
      message: "cannot disarm a host that is registered",
    });
  });

  test("a freeze voids and revokes; lifting it asks for the facts anew", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol", "conflict", "conflict");
    expect(rig.asked.filter((what) => what === `revoke ${id}`)).toHaveLength(2);
    expect(await rig.installations.unfreeze(ALICE, id)).toMatchObject({ state: "interrupted" });
    expect(await rig.installations.retry(ALICE, id)).toMatchObject({ state: "installing" });
    expect(rig.asked.at(-1)).toBe(`proceed ${rig.hostId}`);
  });

  test.each([
    ["never", ["interrupted", "interrupted"]],
    ["once", ["installing", "interrupted"]],
    ["always", ["installing", "installing"]],
  ] as const)("a machine that comes back, by policy %s", async (resume, expected) => {
    await using rig = await openOperations({ resume });
    const id = await rig.opened("enrol");
    const states: unknown[] = [];
    for (const _ of expected) {
      await rig.store.write(async (tx) => {
        states.push(await rig.installations.reenter(tx, id, { actor: "gate" }));
      });
    }
    expect(states).toEqual(expected);
  });

  test("a failed transaction leaves neither state, journal, feed nor order", async () => {
    await using rig = await openOperations();
    const id = await rig.opened("enrol", "fail");
    const before = rig.asked.length;
    const failing = rig.store.write(async (tx) => {
      await rig.installations.apply(tx, id, "retry", { actor: "a" });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await rig.installations.get(id)).toMatchObject({ state: "failed" });
    expect(rig.asked.length).toBe(before);
    expect(await changesOf(rig.store, id)).toHaveLength(3);
  });

  test("every open state has a name in the contract", () => {
    const states = OPEN.map(installationStateOf);
    expect(new Set(states).size).toBe(OPEN.length);
    expect(states.map((state) => NAMES.get(state)?.toLowerCase().replaceAll("_", "-"))).toEqual([...OPEN]);
  });
});

describe("the window", () => {
  test("what nobody came for expires; what was enrolled does not", async () => {
    await using rig = await openOperations();
    const id = await rig.opened();
    rig.time.now += 3_599_999;
    expect(await rig.installations.expireOverdue()).toBe(0);
    rig.time.now += 1;
    expect(await rig.installations.expireOverdue()).toBe(1);
    expect(await rig.installations.get(id)).toMatchObject({ outcome: "expired", reason: /window/ });
    const enrolled = await rig.opened("enrol");
    rig.time.now += 10_000_000;
    expect(await rig.installations.expireOverdue()).toBe(0);
    expect(await rig.installations.get(enrolled)).toMatchObject({ outcome: "open" });
  });
});

describe("list", () => {
  test("newest first, by cluster, host, openness and page", async () => {
    await using rig = await openOperations();
    const first = await rig.opened();
    await rig.installations.disarm(ALICE, rig.hostId);
    const second = await rig.opened();
    const list = async (query: object) =>
      (await rig.installations.list({ clusters: "all", limit: 10, ...query })).map(({ id }) => id);
    expect(await list({})).toEqual([second, first]);
    expect(await list({ before: second })).toEqual([first]);
    expect(await list({ openOnly: true })).toEqual([second]);
    expect(await list({ clusters: [] })).toEqual([]);
    expect(await list({ clusters: [rig.clusterId], hostId: rig.hostId, limit: 1 })).toEqual([second]);
    expect(await list({ hostId: "other" })).toEqual([]);
  });
});
