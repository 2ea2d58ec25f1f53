import { expect, test } from "vitest";
import { parseInterfaceName } from "../../../proto/values/interface-name.ts";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../../proto/values/ipv4-network.ts";
import { checkPlan } from "./dnsmasq-plan.ts";
import { plannedHosts } from "./planned-hosts.ts";

const LINK = {
  network: parseIpv4Network("10.77.0.0/24"),
  serverAddress: parseIpv4("10.77.0.1"),
  range: { from: parseIpv4("10.77.0.100"), to: parseIpv4("10.77.0.119") },
};

function host(name: string, address?: string) {
  return { id: name, name, domain: "lab.example", macs: ["52:54:00:00:00:01"], ...(address && { address }) };
}

test("a reserved address is told; one of another network is not ours to give", () => {
  const { hosts, problems } = plannedHosts(
    [host("a", "10.77.0.9"), host("b", "192.0.2.9"), host("c", "fd00::1"), host("d")],
    LINK,
  );
  expect(hosts.map(({ address }) => address)).toEqual(["10.77.0.9", undefined, undefined, undefined]);
  expect(problems).toEqual([]);
});

test("an address that cannot be reserved is left out and said, and keeps nobody from booting", () => {
  const many = {
    ...host("m"),
    macs: Array.from({ length: 40 }, (_, i) => `52:54:00:00:00:${i.toString(16).padStart(2, "0")}`),
  };
  const { hosts, problems } = plannedHosts(
    [host("a", "10.77.0.1"), host("b", "10.77.0.100"), many, host("c", "10.77.0.9")],
    LINK,
  );
  expect(hosts.map(({ address }) => address)).toEqual([undefined, undefined, undefined, "10.77.0.9"]);
  expect(hosts[2]?.macs).toHaveLength(32);
  expect(problems).toHaveLength(3);
});

test("no host takes the gateway's address, and one with an address that is no machine's stops no other's plan", () => {
  const others = [parseIpv4("10.77.0.254")];
  const { hosts, problems } = plannedHosts(
    [host("n", "10.77.0.0"), host("b", "10.77.0.255"), host("g", "10.77.0.254"), host("c", "10.77.0.9")].map(
      (one, index) => ({ ...one, macs: [`52:54:00:00:01:0${index}`] }),
    ),
    { ...LINK, others },
  );
  expect(hosts.map(({ address }) => address)).toEqual([undefined, undefined, undefined, "10.77.0.9"]);
  expect(problems).toHaveLength(3);
  const { range, ...link } = LINK;
  const dhcp = { mode: "server", hostLeaseSeconds: 3600, unknown: "lease" } as const;
  const plan = { ...link, dhcp: { ...dhcp, range: { ...range, leaseSeconds: 120 } }, hosts };
  checkPlan({ ...plan, interface: parseInterfaceName("eth1"), ipxeUrl: "http://10.77.0.1:7080/" });
});

test("no host is resolved by a name of the server", () => {
  const link = { ...LINK, serverNames: ["10.77.0.1", "hpsd.lab.example"] };
  const { hosts, problems } = plannedHosts([host("hpsd", "10.77.0.8"), host("c", "10.77.0.9")], link);
  expect(hosts.map(({ address }) => address)).toEqual([undefined, "10.77.0.9"]);
  expect(problems).toEqual(["hpsd.lab.example is a name of the server"]);
});
