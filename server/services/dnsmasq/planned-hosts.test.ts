import { expect, test } from "vitest";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../../proto/values/ipv4-network.ts";
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
