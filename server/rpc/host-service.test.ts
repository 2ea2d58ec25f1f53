import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import { Admission } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { HostSchema, HostState, ResumePolicy } from "../../proto/gen/hps/v1/host_pb.ts";
import { holdHost } from "../core/testing/inventory.ts";
import { type InventoryRig, startInventoryRig } from "./testing/inventory-rig.ts";

const MAC = "52:54:00:00:00:01";
const WEB = {
  cluster: "a",
  name: "web01",
  macs: [MAC, "52:54:00:00:00:02"],
  addresses: ["192.0.2.1", "2001:db8::1"],
  profile: "storage",
  tags: { rack: "r1" },
  resume: ResumePolicy.ONCE,
};

async function startRig() {
  const rig = await startInventoryRig();
  for (const name of ["a", "b"]) {
    const cluster = { name, domain: `${name}.example`, admission: Admission.APPROVE };
    await rig.clusters.createCluster({ cluster }, rig.root);
  }
  return rig;
}

async function withHost() {
  const rig = await startRig();
  const web = await rig.hosts.createHost({ host: WEB }, rig.root);
  const update = async (host: object, paths: string[]) =>
    await rig.hosts.updateHost({ host: { id: web.id, ...host }, updateMask: { paths } }, rig.root);
  return Object.assign(rig, { web, update });
}

test("a host is made as told, in one spelling, and read by id and by name", async () => {
  await using rig = await startRig();
  const host = { ...WEB, name: "WEB01", macs: ["5254.0000.0001"], addresses: ["::ffff:192.0.2.1", "2001:DB8:0::1"] };
  const web = await rig.hosts.createHost({ host }, rig.root);
  expect(web).toMatchObject({
    ...WEB,
    ...{ macs: [MAC], etag: '"1"', state: HostState.REGISTERED, attached: false, installation: "", agentVersion: "" },
  });
  expect(await rig.hosts.getHost({ host: web.id }, rig.root)).toEqual(web);
  expect(await rig.hosts.getHost({ host: "a/web01" }, rig.root)).toEqual(web);
  const bare = { cluster: "a", name: "web02", macs: ["52:54:00:00:00:09"] };
  expect(await rig.hosts.createHost({ host: bare }, rig.root)).toMatchObject({ resume: ResumePolicy.NEVER, tags: {} });
});

describe("what is not right is refused", () => {
  let rig: InventoryRig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => await rig[Symbol.asyncDispose]());

  test.each([
    [{ name: "web 01" }, "not a host name"],
    [{ name: "10" }, "read as a number"],
    [{ macs: [] }, "no MAC address"],
    [{ macs: [MAC, "52-54-00-00-00-01"] }, `${MAC} stands twice`],
    [{ macs: ["ff:ff:ff:ff:ff:ff"] }, "multicast"],
    [
      { macs: Array.from({ length: 65 }, (_, index) => `52:54:00:00:01:${index.toString(16).padStart(2, "0")}`) },
      "65 MAC",
    ],
    [{ addresses: ["127.0.0.1"] }, "cannot be the address"],
    [{ addresses: ["::"] }, "cannot be the address"],
    [{ addresses: ["ff02::1"] }, "cannot be the address"],
    [{ addresses: ["192.0.2.01"] }, "not an IP address"],
    [{ tags: { "No Key": "x" } }, "not a tag's key"],
    [{ tags: { k: "x".repeat(257) } }, "longer than 256 bytes"],
    [{ tags: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ""])) }, "65 tags"],
    [{ profile: "x".repeat(257) }, "257 bytes"],
    [{ resume: 9 }, "resume policy 9 is not known"],
  ])("%#", async (wrong, message) => {
    const host = Object.assign(create(HostSchema, WEB), wrong);
    await expect(rig.hosts.createHost({ host }, rig.root)).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining(message),
    });
    expect((await rig.hosts.listHosts({}, rig.root)).hosts).toEqual([]);
  });
});

describe("names, MACs and addresses belong to one host", () => {
  const other = { cluster: "b", name: "db01", macs: ["52:54:00:00:00:11"], addresses: ["192.0.2.11"] };

  test("also those of another cluster; whose it is only hears who may see it", async () => {
    await using rig = await withHost();
    const { id: b } = await rig.clusters.getCluster({ name: "b" }, rig.root);
    const bob = rig.operator("bob", { [b]: "operator" });
    const take = async (fields: object, as = bob) => {
      await rig.hosts.createHost({ host: { ...other, ...fields } }, as);
    };
    await expect(take({ macs: ["52:54:00:00:00:02"] }, rig.root)).rejects.toMatchObject({
      code: "exists",
      message: "MAC address 52:54:00:00:00:02 belongs to host a/web01",
    });
    await expect(take({ macs: [MAC] })).rejects.toMatchObject({ message: `MAC address ${MAC} is already taken` });
    await expect(take({ addresses: ["192.0.2.1"] })).rejects.toMatchObject({
      message: "address 192.0.2.1 is already taken",
    });
    await take({ name: "web01" });
    await expect(take({ name: "web01", macs: ["52:54:00:00:00:12"], addresses: [] })).rejects.toMatchObject({
      code: "exists",
      message: "the cluster has a host web01 already",
    });
  });

  test("a host keeps its own when it changes, and gives back what it drops", async () => {
    await using rig = await withHost();
    await rig.update({ name: "web02", macs: [MAC], addresses: ["192.0.2.1", "192.0.2.3"] }, [
      "name",
      "macs",
      "addresses",
    ]);
    await rig.hosts.createHost(
      { host: { ...other, macs: ["52:54:00:00:00:02"], addresses: ["2001:db8::1"] } },
      rig.root,
    );
    await expect(rig.update({ addresses: ["2001:db8::1"] }, ["addresses"])).rejects.toMatchObject({ code: "exists" });
    await expect(rig.hosts.getHost({ host: "a/web02" }, rig.root)).resolves.toMatchObject({
      id: rig.web.id,
      macs: [MAC],
    });
  });
});

test("an update changes what the mask names and nothing else", async () => {
  await using rig = await withHost();
  const changed = await rig.update({ tags: { rack: "r2" }, profile: "not in the mask", name: "nor this" }, ["tags"]);
  const { etag, updateTime } = changed;
  expect(changed).toEqual({ ...rig.web, tags: { rack: "r2" }, etag, updateTime });
  expect(etag).toBe('"2"');
  expect(await rig.update({ etag: '"2"' }, ["tags", "profile", "addresses"])).toMatchObject({
    ...{ tags: {}, profile: "", addresses: [], name: "web01" },
  });
  await expect(rig.update({ etag: '"2"' }, ["tags"])).rejects.toMatchObject({ code: "aborted" });
  await expect(rig.update({ cluster: "b" }, ["cluster"])).rejects.toMatchObject({ code: "invalid" });
  await expect(rig.update({ resume: 0 }, ["resume"])).rejects.toMatchObject({ code: "invalid" });
  await expect(rig.update({}, [])).rejects.toMatchObject({ code: "invalid" });
});

describe("an installation holds its host", () => {
  test("its MACs stay, its other fields may change, it is not deleted", async () => {
    await using rig = await withHost();
    const { store, changes } = rig.inventory;
    const installation = await holdHost(store, changes, rig.web.id, "installing");
    expect(await rig.hosts.getHost({ host: "a/web01" }, rig.root)).toMatchObject({
      ...{ state: HostState.INSTALLING, installation },
    });
    await expect(rig.update({ macs: [MAC] }, ["macs"])).rejects.toMatchObject({ code: "precondition" });
    await expect(rig.update({ ...WEB, name: "web02" }, ["macs", "name"])).resolves.toMatchObject({ name: "web02" });
    const wish = rig.hosts.deleteHost({ host: rig.web.id }, rig.root);
    await expect(wish).rejects.toMatchObject({ code: "precondition", hint: expect.stringContaining("cancel") });
    expect(rig.inventory.revoked).toEqual([]);
  });
});

test("a deleted host is gone with all it had: certificates, streams, MACs; its name is free", async () => {
  await using rig = await withHost();
  await expect(rig.hosts.deleteHost({ host: rig.web.id, etag: '"9"' }, rig.root)).rejects.toMatchObject({
    code: "aborted",
  });
  expect(rig.inventory.revoked).toEqual([]);
  await rig.hosts.deleteHost({ host: "a/web01", etag: rig.web.etag }, rig.root);
  expect(rig.inventory.revoked).toEqual([rig.web.id]);
  expect(rig.inventory.closed).toEqual([rig.web.id]);
  await expect(rig.hosts.getHost({ host: rig.web.id }, rig.root)).rejects.toMatchObject({ code: "not-found" });
  const again = await rig.hosts.createHost({ host: WEB }, rig.root);
  expect(again.id).not.toBe(rig.web.id);
  const { events } = await rig.audit.listAuditEvents({ target: `host:${rig.web.id}` }, rig.root);
  expect(events.map(({ action }) => action.split("/")[1])).toEqual(["DeleteHost", "CreateHost"]);
});

test("when its certificates cannot be revoked, the host stays", async () => {
  await using rig = await withHost();
  rig.inventory.failRevocation();
  await expect(rig.hosts.deleteHost({ host: rig.web.id }, rig.root)).rejects.toMatchObject({ code: "internal" });
  expect(await rig.hosts.getHost({ host: rig.web.id }, rig.root)).toEqual(rig.web);
  expect(rig.inventory.closed).toEqual([]);
});

test("what its agents said is shown with one host, and left out of lists", async () => {
  await using rig = await withHost();
  const facts = {
    macs: WEB.macs,
    vendor: "QEMU",
    memoryBytes: 1024,
    disks: [{ name: "sda", sizeBytes: 5, wwn: "naa.5" }],
  };
  const boot = { slot: "b", kernel: "6.1", image: "debian:12", healthy: false, reason: "no network" };
  const said = { facts_json: JSON.stringify(facts), boot_json: JSON.stringify(boot) };
  await rig.inventory.store.write((tx) => tx.updateTable("host").set(said).execute());
  const host = await rig.hosts.getHost({ host: "a/web01" }, rig.root);
  expect(host.facts).toMatchObject({ vendor: "QEMU", memoryBytes: 1024n, disks: [{ sizeBytes: 5n, wwn: "naa.5" }] });
  expect(host.boot).toMatchObject(boot);
  const [listed] = (await rig.hosts.listHosts({}, rig.root)).hosts;
  expect([listed?.name, listed?.facts, listed?.boot]).toEqual(["web01", undefined, undefined]);
});

test("how the installed system reaches the network is DHCP unless told", async () => {
  await using rig = await withHost();
  expect(rig.web.network).toBe(NetworkMode.DHCP);
  expect(await rig.update({ network: NetworkMode.STATIC }, ["network"])).toMatchObject({ network: NetworkMode.STATIC });
  await expect(rig.update({ network: 9 }, ["network"])).rejects.toMatchObject({ code: "invalid" });
});

describe("arming", () => {
  test("hands over window, image and disks, checked", async () => {
    await using rig = await withHost();
    const arm = async (fields: object) => {
      const { hostId, reason } = await rig.hosts.armHost({ host: "a/web01", ...fields }, rig.root);
      expect(hostId).toBe(rig.web.id);
      return JSON.parse(reason);
    };
    const rest = { storage: { disk: "", rootSizeBytes: 0, wipe: false }, rescue: false, reboot: false };
    expect(await arm({})).toEqual({ windowMs: 3_600_000, image: "", wipeDiskSerials: [], ...rest });
    const all = { window: { seconds: 90n, nanos: 5 }, image: "debian/web:12.9", wipeDiskSerials: ["S1", "S2", "S1"] };
    const storage = { disk: "size>=200GB,smallest", rootSizeBytes: 2n ** 34n, wipe: true };
    expect(await arm({ ...all, storage, reboot: true })).toEqual({
      ...{ windowMs: 90_000, image: "debian/web:12.9", wipeDiskSerials: ["S1", "S2"], rescue: false, reboot: true },
      storage: { ...storage, rootSizeBytes: 2 ** 34 },
    });
    expect(await arm({ rescue: true })).toMatchObject({ image: "", rescue: true });
    const wrong = [
      ...[{ window: { seconds: 59n } }, { window: { seconds: 604_801n } }, { window: { seconds: -1n } }],
      ...[{ image: "debian" }, { wipeDiskSerials: [""] }, { wipeDiskSerials: ["x".repeat(129)] }],
      ...[{ storage: { disk: "sda" } }, { storage: { rootSizeBytes: 1000n } }, { storage: { rootSizeBytes: -1n } }],
      ...[
        { rescue: true, image: "debian:12" },
        { rescue: true, storage: { wipe: true } },
      ],
    ];
    for (const fields of wrong) await expect(arm(fields)).rejects.toMatchObject({ code: "invalid" });
  });

  test("disarming answers with the host", async () => {
    await using rig = await withHost();
    expect(await rig.hosts.disarmHost({ host: rig.web.id }, rig.root)).toEqual(rig.web);
  });
});
