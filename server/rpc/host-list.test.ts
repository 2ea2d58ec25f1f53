import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Admission } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { holdHost } from "../core/testing/inventory.ts";
import { allPages } from "./testing/collect.ts";
import { type InventoryRig, startInventoryRig } from "./testing/inventory-rig.ts";

let rig: InventoryRig;
const HOSTS = ["b/web02", "a/db01", "a/web10", "b/db02", "a/web01"];

beforeAll(async () => {
  rig = await startInventoryRig();
  for (const name of ["b", "a"]) {
    const cluster = { name, domain: `${name}.example`, admission: Admission.ARMED };
    await rig.clusters.createCluster({ cluster }, rig.root);
  }
  for (const [index, host] of HOSTS.entries()) {
    const [cluster = "", name = ""] = host.split("/");
    const profile = name.startsWith("web") ? "compute" : "storage";
    const tags = { rack: `r${index % 2}`, role: "two words" };
    await rig.hosts.createHost({ host: { cluster, name, macs: [macOf(index)], profile, tags } }, rig.root);
  }
  const { id } = await rig.hosts.getHost({ host: "a/db01" }, rig.root);
  await holdHost(rig.inventory.store, rig.inventory.changes, id, "frozen");
});

afterAll(async () => await rig[Symbol.asyncDispose]());

const macOf = (index: number) => `52:54:00:00:00:0${index}`;

async function list(request: object): Promise<string[]> {
  const page = async (pageToken: string) => await rig.hosts.listHosts({ pageSize: 2, ...request, pageToken }, rig.root);
  const hosts = await allPages(page, (answer) => answer.hosts);
  return hosts.map(({ cluster, name }) => `${cluster}/${name}`);
}

describe("order", () => {
  const byName = ["a/db01", "a/web01", "a/web10", "b/db02", "b/web02"];
  const byState = ["a/db01", "a/web01", "a/web10", "b/db02", "b/web02"];
  test.each([
    ["", byName],
    ["name", byName],
    ["name asc", byName],
    ["name desc", byName.toReversed()],
    ["create_time", HOSTS],
    [" create_time  desc ", HOSTS.toReversed()],
    ["state", byState],
    ["state desc", byState.toReversed()],
  ])("%j", async (orderBy, expected) => {
    expect(await list({ orderBy })).toEqual(expected);
  });

  test.each(["nonsense", "name down", "name desc desc", "name,state"])("%j is refused", async (orderBy) => {
    await expect(list({ orderBy })).rejects.toMatchObject({ code: "invalid", hint: expect.stringContaining("state") });
  });
});

describe("filter", () => {
  test.each([
    ["name=web*", ["a/web01", "a/web10", "b/web02"]],
    ["name=*0*1*", ["a/db01", "a/web01"]],
    ["name=web01", ["a/web01"]],
    ["name=web", []],
    ["state=frozen", ["a/db01"]],
    ["state=registered name=db*", ["b/db02"]],
    ["state=frozen state=registered", []],
    [`mac=${macOf(0).replaceAll(":", "-")}`, ["b/web02"]],
    ["profile=storage", ["a/db01", "b/db02"]],
    ["profile=Storage", []],
    ["tag.rack=r1 name=web*", []],
    ["tag.rack=r0 name=web*", ["a/web01", "a/web10", "b/web02"]],
    ['tag.role="two words" name=db*', ["a/db01", "b/db02"]],
    ["tag.role=two", []],
    ["tag.other=", []],
  ])("%s", async (filter, expected) => {
    expect(await list({ filter })).toEqual(expected);
  });

  test("of one cluster", async () => {
    expect(await list({ cluster: "b", filter: "name=web*" })).toEqual(["b/web02"]);
    await expect(list({ cluster: "c" })).rejects.toMatchObject({ code: "not-found" });
  });
});

test("a token goes on only with the list it came from", async () => {
  const { nextPageToken } = await rig.hosts.listHosts({ pageSize: 1, filter: "name=web*" }, rig.root);
  for (const other of [{}, { filter: "name=db*" }, { filter: "name=web*", orderBy: "state" }]) {
    const wish = rig.hosts.listHosts({ ...other, pageToken: nextPageToken }, rig.root);
    await expect(wish).rejects.toMatchObject({ code: "invalid" });
  }
  const rest = await rig.hosts.listHosts({ filter: "name=web*", pageToken: nextPageToken }, rig.root);
  expect(rest.hosts.map(({ name }) => name)).toEqual(["web10", "web02"]);
});

test("hosts too large for one message come in shorter pages", async () => {
  await using other = await startInventoryRig();
  const cluster = { name: "a", domain: "a.example", admission: Admission.ARMED };
  await other.clusters.createCluster({ cluster }, other.root);
  const tags = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`k${index}`, "\u0001é".repeat(85)]));
  for (let index = 0; index < 80; index += 1) {
    const macs = [`52:54:00:00:00:${index.toString(16).padStart(2, "0")}`];
    await other.hosts.createHost({ host: { cluster: "a", name: `h${index}`, macs, tags } }, other.root);
  }
  const page = async (pageToken: string) => await other.hosts.listHosts({ pageSize: 1000, pageToken }, other.root);
  const first = await page("");
  expect(first.hosts.length).toBeLessThan(80);
  const names = (await allPages(page, ({ hosts }) => hosts)).map(({ name }) => name);
  expect(new Set(names).size).toBe(80);
  expect(names.length).toBe(80);
});

test("pages have each host once, whatever is added between them", async () => {
  await using other = await startInventoryRig();
  const cluster = { name: "a", domain: "a.example", admission: Admission.ARMED };
  await other.clusters.createCluster({ cluster }, other.root);
  let made = 0;
  const make = async (name: string) => {
    made += 1;
    const mac = `52:54:00:00:01:${made.toString(16).padStart(2, "0")}`;
    await other.hosts.createHost({ host: { cluster: "a", name, macs: [mac] } }, other.root);
  };
  for (let index = 10; index < 30; index += 1) await make(`h${index}`);
  for (const orderBy of ["name", "name desc", "create_time", "create_time desc", "state", "state desc"]) {
    const page = async (pageToken: string) => {
      await make(`new-${orderBy.replaceAll(/\W|_/g, "-")}-${made}`);
      return await other.hosts.listHosts({ pageSize: 7, orderBy, pageToken }, other.root);
    };
    const names = (await allPages(page, ({ hosts }) => hosts)).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith("h")).length).toBe(20);
  }
});
