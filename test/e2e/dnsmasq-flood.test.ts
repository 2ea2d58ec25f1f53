import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseLeaseFile } from "../../server/services/dnsmasq/lease-file.ts";
import { labHost, labPlan, startDnsmasqRack } from "../lab/dnsmasq-rack.ts";
import { startProgram } from "../lab/program.ts";
import { must } from "../lab/run.ts";

const KNOWN = ["52:54:00:00:01:01", "52:54:00:00:01:02", "52:54:00:00:01:03"];
const FLOOD = new URL("../lab/dhcp-flood.ts", import.meta.url).pathname;

test("10 000 unknown MACs take the range and no more; known hosts get their leases meanwhile", async () => {
  const hosts = KNOWN.map((mac, index) => labHost(`host${index}`, [mac], `10.77.0.1${index}`));
  await using lab = await startDnsmasqRack([...KNOWN, "52:54:00:00:0f:01"], labPlan(hosts));
  const flooder = lab.rack.client(3);
  await must(["ip", "addr", "add", "169.254.1.1/16", "dev", "eth0"], { ns: flooder.ns });
  await must(["ip", "route", "add", "255.255.255.255", "dev", "eth0"], { ns: flooder.ns });
  const flood = await startProgram({ ns: flooder.ns, argv: [process.execPath, FLOOD, "10000"], readyLine: /flooding/ });
  for (const [index, host] of hosts.entries()) {
    const got = await lab.rack.client(index).dhcp({ tries: 10 });
    expect(got).toMatchObject({ bound: true, lease: { address: host.address, hostname: host.name } });
  }
  const taken = JSON.parse((await flood.waitFor(/^\{.*\}$/m, 60_000))[0]);
  expect(await flood.ended).toBe(0);
  const addresses = Object.values(taken);
  expect(new Set(addresses).size).toBe(addresses.length);
  expect(addresses).toHaveLength(20);
  const leases = parseLeaseFile(await readFile(join(lab.folder, "state", "leases"), "latin1"));
  expect(leases).toHaveLength(20 + hosts.length);
  await expect.poll(() => lab.events.filter((event) => event.kind === "add").length).toBe(20 + hosts.length);
  expect(lab.dnsmasq.state()).toMatchObject({ status: "running", restarts: 0 });
});
