/** Two clusters of two sets of people: nothing of one is seen from the other, and each try is in the audit log once. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Admission } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { nextItems } from "./testing/collect.ts";
import type { InventoryRig } from "./testing/inventory-rig.ts";
import { startInventoryRig } from "./testing/inventory-rig.ts";

let rig: InventoryRig;
let alice: InventoryRig["root"];
let viewer: InventoryRig["root"];
let nobody: InventoryRig["root"];
let ids: { readonly a: string; readonly b: string; readonly hostA: string; readonly hostB: string };

beforeEach(async () => {
  rig = await startInventoryRig();
  const made = [];
  for (const [index, name] of ["a", "b"].entries()) {
    const cluster = { name, domain: `${name}.example`, admission: Admission.ARMED };
    const { id } = await rig.clusters.createCluster({ cluster }, rig.root);
    const host = { cluster: name, name: "web01", macs: [`52:54:00:00:00:0${index}`], tags: { secret: name } };
    made.push(id, (await rig.hosts.createHost({ host }, rig.root)).id);
  }
  const [a = "", hostA = "", b = "", hostB = ""] = made;
  ids = { a, b, hostA, hostB };
  alice = rig.operator("alice", { [a]: "admin" });
  viewer = rig.operator("victor", { [a]: "viewer" });
  nobody = rig.operator("nobody", {});
});

afterEach(async () => await rig[Symbol.asyncDispose]());

async function refusals() {
  const { events } = await rig.audit.listAuditEvents({ outcome: 2 }, rig.root);
  return events.map(({ actor, action, target, cluster }) => ({
    actor: actor.split("/").at(-1),
    action: action.split("/").at(-1),
    target,
    cluster,
  }));
}

describe("what names an object of the other cluster", () => {
  const paths = ["tags"];
  const calls = {
    GetHost: () => rig.hosts.getHost({ host: ids.hostB }, alice),
    UpdateHost: () => rig.hosts.updateHost({ host: { id: "b/web01" }, updateMask: { paths } }, alice),
    DeleteHost: () => rig.hosts.deleteHost({ host: ids.hostB }, alice),
    ArmHost: () => rig.hosts.armHost({ host: ids.hostB }, alice),
    DisarmHost: () => rig.hosts.disarmHost({ host: "b/web01" }, alice),
  };

  test.each(Object.entries(calls))("%s: as absent as what does not exist, and audited once", async (action, call) => {
    const before = await rig.inventory.changes.last();
    await expect(call()).rejects.toMatchObject({ code: "not-found", message: expect.stringMatching(/^no host /) });
    const target = `host:${ids.hostB}`;
    expect(await refusals()).toEqual([{ actor: "alice", action, target, cluster: "b" }]);
    expect(await rig.inventory.changes.last()).toBe(before);
    expect(await rig.hosts.getHost({ host: ids.hostB }, rig.root)).toMatchObject({ tags: { secret: "b" } });
  });

  const named = {
    GetCluster: () => rig.clusters.getCluster({ name: "b" }, alice),
    UpdateCluster: () =>
      rig.clusters.updateCluster({ cluster: { name: "b" }, updateMask: { paths: ["domain"] } }, alice),
    DeleteCluster: () => rig.clusters.deleteCluster({ name: "b" }, alice),
    ListHosts: () => rig.hosts.listHosts({ cluster: "b" }, alice),
    WatchHosts: () => nextItems(rig.hosts.watchHosts({ cluster: "b" }, alice)[Symbol.asyncIterator](), 1),
    ListAuditEvents: () => rig.audit.listAuditEvents({ cluster: "b" }, alice),
    WatchAuditEvents: () => nextItems(rig.audit.watchAuditEvents({ cluster: "b" }, alice)[Symbol.asyncIterator](), 1),
    CreateHost: () => rig.hosts.createHost({ host: { cluster: "b", name: "x", macs: ["52:54:00:00:00:77"] } }, alice),
  };

  test.each(Object.entries(named))("%s: the cluster itself is absent", async (action, call) => {
    await expect(call()).rejects.toMatchObject({ code: "not-found", message: "no cluster b" });
    expect(await refusals()).toEqual([{ actor: "alice", action, target: `cluster:${ids.b}`, cluster: "b" }]);
  });
});

test("what does not exist at all reads the same, and is no refusal", async () => {
  const hidden: unknown = await rig.hosts.getHost({ host: "b/web01" }, alice).catch((error: unknown) => error);
  const absent: unknown = await rig.hosts.getHost({ host: "c/web01" }, alice).catch((error: unknown) => error);
  expect(absent).toMatchObject({ code: "not-found", message: "no host c/web01" });
  expect(hidden).toMatchObject({ code: "not-found", message: "no host b/web01" });
  expect((await refusals()).length).toBe(1);
});

test("lists hold what is one's own and nothing else", async () => {
  expect((await rig.clusters.listClusters({}, alice)).clusters.map(({ name }) => name)).toEqual(["a"]);
  expect((await rig.hosts.listHosts({}, alice)).hosts.map(({ id }) => id)).toEqual([ids.hostA]);
  expect((await rig.hosts.listHosts({ filter: "tag.secret=b" }, alice)).hosts).toEqual([]);
  await rig.inventory.audit.refused({ actor: "mac:x", action: "boot.script", address: "192.0.2.1" }, {});
  const { events } = await rig.audit.listAuditEvents({}, alice);
  expect(new Set(events.map(({ cluster }) => cluster))).toEqual(new Set(["a"]));
  expect((await rig.audit.listAuditEvents({ target: `host:${ids.hostB}` }, alice)).events).toEqual([]);
  expect((await rig.audit.listAuditEvents({}, rig.root)).events.length).toBe(5);
  expect((await rig.clusters.listClusters({}, nobody)).clusters).toEqual([]);
  expect((await rig.hosts.listHosts({}, nobody)).hosts).toEqual([]);
  expect((await rig.audit.listAuditEvents({}, nobody)).events).toEqual([]);
  expect(await refusals()).toEqual(
    [{ actor: "x", action: "boot.script", target: "", cluster: "" }].map((event) => ({ ...event, actor: "mac:x" })),
  );
});

test("watches tell what is one's own and nothing else", async () => {
  const hosts = rig.hosts.watchHosts({}, alice)[Symbol.asyncIterator]();
  expect((await nextItems(hosts, 1)).map(({ hostId }) => hostId)).toEqual([ids.hostA]);
  const audit = rig.audit.watchAuditEvents({}, alice)[Symbol.asyncIterator]();
  expect((await nextItems(audit, 2)).map(({ cluster }) => cluster)).toEqual(["a", "a"]);
  const waiting = Promise.all([nextItems(hosts, 1), nextItems(audit, 1)]);
  const add = async (cluster: string, mac: string) =>
    await rig.hosts.createHost({ host: { cluster, name: "new", macs: [mac] } }, rig.root);
  await add("b", "52:54:00:00:01:01");
  await rig.hosts.deleteHost({ host: ids.hostB }, rig.root);
  const own = await add("a", "52:54:00:00:01:02");
  const [[news], [event]] = await waiting;
  expect(news).toMatchObject({ hostId: own.id, host: { cluster: "a" } });
  expect(event).toMatchObject({ target: `host:${own.id}`, cluster: "a" });
  await Promise.all([hosts.return?.(), audit.return?.()]);
});

test("a role too low in one's own cluster is denied by name, and audited once", async () => {
  const arm = rig.hosts.armHost({ host: ids.hostA }, viewer);
  await expect(arm).rejects.toMatchObject({ code: "denied", message: `host ${ids.hostA} needs role operator` });
  expect(await refusals()).toEqual([{ actor: "victor", action: "ArmHost", target: `host:${ids.hostA}`, cluster: "a" }]);
  await expect(rig.hosts.getHost({ host: ids.hostA }, viewer)).resolves.toMatchObject({ name: "web01" });
});

test("status: agents of one's own clusters; components only for who sees all", async () => {
  const { attached } = rig.inventory;
  attached.set("1", { clusterId: ids.a, version: "1.4.0" });
  attached.set("2", { clusterId: ids.a, version: "1.3.9" });
  attached.set("3", { clusterId: ids.a, version: "1.4.0" });
  attached.set("4", { clusterId: ids.b, version: "1.5.0" });
  attached.set("5", { clusterId: ids.b, version: "latest" });
  const mine = await rig.system.getStatus({}, alice);
  const plain = ({ version, count, unsupported }: (typeof mine)["agentVersions"][number]) =>
    `${count} x ${version}${unsupported ? " unsupported" : ""}`;
  expect(mine).toMatchObject({ serverVersion: "1.4.2", components: [] });
  expect(mine.agentVersions.map(plain)).toEqual(["2 x 1.4.0", "1 x 1.3.9"]);
  const all = await rig.system.getStatus({}, rig.root);
  expect(all.components).toMatchObject([{ name: "store", health: 1, reason: "" }]);
  expect(all.agentVersions.map(plain)).toEqual([
    ...["2 x 1.4.0", "1 x 1.3.9", "1 x 1.5.0 unsupported", "1 x latest unsupported"],
  ]);
  expect((await rig.system.getStatus({}, nobody)).agentVersions).toEqual([]);
});
