import { expect, test } from "vitest";
import { selectAudit } from "../../store/audit.ts";
import { deleteHost } from "../../store/hosts.ts";
import { deleteOperator, selectOperator } from "../../store/operators.ts";
import { selectLiveGrants } from "../../store/shell-grants.ts";
import { Audit } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import { operatorCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import { Grants, type GrantWish } from "./grants.ts";

const DAY = 86_400_000;
const ADMIN = operatorCaller("admin", "*", "root");
const WISH = {
  to: { operator: "bob" },
  on: { host: "h1" },
  permission: "enter",
  expiresAt: null,
  reason: "why",
} as const;

async function openRig() {
  const store = await openTestStore();
  const time = { now: 1_000_000 };
  const clock = () => time.now;
  const grants = new Grants({ store, clock, audit: new Audit(store, clock), changes: new Changes(store, clock) });
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId, { name: "h1" });
  await addTestOperator(store, "bob", { [clusterId]: "viewer" });
  await addTestOperator(store, "eve", {});
  return {
    ...{ store, time, grants, clusterId, hostId },
    add: async (wish: Partial<GrantWish> = {}) => await grants.create(ADMIN, clusterId, { ...WISH, ...wish }),
    list: async () => (await grants.list({ clusters: [clusterId], limit: 10 })).grants,
    live: async () => await store.read((db) => selectLiveGrants(db, clusterId, time.now)),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}

test("a grant is made, listed newest first and removed, and the audit log has its words", async () => {
  await using rig = await openRig();
  const first = await rig.add();
  expect(first).toMatchObject({ cluster: "lab", operator: "bob", host: "h1", createdBy: "root", reason: "why" });
  rig.time.now += 1;
  const tags = new Map([["rack", "r1"]]);
  const second = await rig.add({ to: { role: "viewer" }, on: { tags }, permission: "watch", expiresAt: 2_000_000 });
  expect(await rig.list()).toEqual([second, first]);
  const page = await rig.grants.list({ clusters: "all", limit: 1 });
  expect(page.next).toEqual({ createdAt: second.createdAt, id: second.id });
  const rest = await rig.grants.list({ clusters: "all", limit: 1, ...(page.next && { before: page.next }) });
  expect(rest).toEqual({ grants: [first] });
  await rig.grants.delete(ADMIN, first.id);
  expect(await rig.live()).toEqual([second]);
  const audit = await rig.store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 9 }));
  expect(audit.map(({ target, details }) => ({ target, ...details }))).toEqual([
    { target: `grant:${first.id}`, to: "operator:bob", on: "host:h1", can: "enter", until: "" },
    {
      target: `grant:${second.id}`,
      to: "role:viewer",
      on: "tags:rack=r1",
      can: "watch",
      until: "1970-01-01T00:33:20.000Z",
    },
    { target: `grant:${first.id}`, to: "operator:bob", on: "host:h1", can: "enter", until: "" },
  ]);
});

test.each([
  ["an operator that is not there", { to: { operator: "mallory" } }, "not-found"],
  ["one without a role in the cluster, in the same words", { to: { operator: "eve" } }, "not-found"],
  ["a host that is not there", { on: { host: "h2" } }, "not-found"],
  ["a time that is over", { expiresAt: 1_000_000 }, "invalid"],
  ["a time beyond a year", { expiresAt: 1_000_000 + 367 * DAY }, "invalid"],
  ["a time that is none", { expiresAt: Number.NaN }, "invalid"],
] as const)("%s is refused and leaves nothing", async (_what, wish, code) => {
  await using rig = await openRig();
  await expect(rig.add(wish)).rejects.toMatchObject({ code });
  expect(await rig.list()).toEqual([]);
});

test("a grant goes with its operator and its host: a new one of the same name has nothing of it", async () => {
  await using rig = await openRig();
  await rig.add();
  await rig.add({ to: { role: "viewer" } });
  await rig.store.write(async (tx) => await deleteOperator(tx, (await selectOperator(tx, "bob"))?.id ?? ""));
  await addTestOperator(rig.store, "bob", { [rig.clusterId]: "viewer" });
  expect((await rig.list()).map(({ to }) => to)).toEqual([{ role: "viewer" }]);
  await rig.store.write((tx) => deleteHost(tx, rig.hostId));
  expect(await rig.list()).toEqual([]);
});

test("what is over lets nobody in, is listed for a month, and is then forgotten", async () => {
  await using rig = await openRig();
  await rig.add({ expiresAt: rig.time.now + DAY });
  rig.time.now += DAY;
  expect([(await rig.live()).length, (await rig.list()).length]).toEqual([0, 1]);
  rig.time.now += 31 * DAY;
  const fresh = await rig.add();
  expect(await rig.list()).toEqual([fresh]);
});

test("a cluster has only so many", async () => {
  await using rig = await openRig();
  const row = { id: "", cluster_id: rig.clusterId, role: "viewer", tags_json: "{}", permission: "watch" } as const;
  const rest = { operator_id: null, host_id: null, expires_at: null, reason: "", created_by: "", created_at: 1 };
  const many = Array.from({ length: 1000 }, (_, index) => ({ ...row, ...rest, id: `g${index}` }));
  await rig.store.write(async (tx) => void (await tx.insertInto("shell_grant").values(many).execute()));
  await expect(rig.add()).rejects.toMatchObject({ code: "exhausted" });
});
