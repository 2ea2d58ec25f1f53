import { expect, test } from "vitest";
import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { parseIpAddress } from "../../../proto/values/ip-address.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { openInventory } from "../testing/inventory.ts";
import { addTestCluster } from "../testing/open-test-store.ts";
import { dhcpPlan, watchDhcpPlan } from "./host-plan.ts";

const MACS = [parseMac("525400000001"), parseMac("525400000002")];
const WEB = {
  name: parseHostName("web01"),
  macs: MACS,
  addresses: [parseIpAddress("192.0.2.1"), parseIpAddress("2001:db8::1")],
  ...({ profile: "", tags: new Map(), resume: "never", network: "dhcp" } as const),
};

test("the plan has every host's name, domain, MACs in order and first address", async () => {
  await using test = await openInventory();
  const lab = await addTestCluster(test.store);
  const web = await test.hosts.create(test.root, lab, WEB);
  const bare = { ...WEB, name: parseHostName("web02"), macs: [parseMac("525400000003")], addresses: [] };
  const other = await test.hosts.create(test.root, lab, bare);
  expect(await dhcpPlan(test.store)).toEqual([
    { id: web.id, name: "web01", domain: "lab.example.org", macs: MACS, address: "192.0.2.1" },
    { id: other.id, name: "web02", domain: "lab.example.org", macs: bare.macs },
  ]);
});

test("who renders it is told of each change that alters it", async () => {
  await using test = await openInventory();
  const lab = await addTestCluster(test.store);
  const watch = watchDhcpPlan(test, AbortSignal.timeout(20_000));
  const next = async () => {
    const { value } = await watch.next();
    return (value ?? []).map(({ name, domain }) => `${name}.${domain}`);
  };
  expect(await next()).toEqual([]);
  const web = await test.hosts.create(test.root, lab, WEB);
  expect(await next()).toEqual(["web01.lab.example.org"]);
  await test.hosts.update(test.root, web.id, { name: parseHostName("db01") }, "");
  expect(await next()).toEqual(["db01.lab.example.org"]);
  await test.clusters.update(actorOfCaller(test.root), lab, { domain: parseDomainName("new.example") }, "");
  expect(await next()).toEqual(["db01.new.example"]);
  await test.hosts.delete(test.root, web.id, "");
  expect(await next()).toEqual([]);
});

test("a host is found by any of its MACs, by no other", async () => {
  await using test = await openInventory();
  const lab = await addTestCluster(test.store);
  const web = await test.hosts.create(test.root, lab, WEB);
  for (const mac of MACS) {
    expect(await test.store.read((db) => test.hosts.byMac(db, mac))).toEqual(web);
  }
  const stranger = parseMac("525400000009");
  expect(await test.store.read((db) => test.hosts.byMac(db, stranger))).toBeUndefined();
});
