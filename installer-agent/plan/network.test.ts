import { expect, test } from "vitest";
import { parseInterfaceName } from "../../proto/values/interface-name.ts";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { DhcpEvents, type Lease } from "./dhcp-event.ts";
import { firmwareLine, missingFirmware } from "./firmware.ts";
import { applyLease, dropAddress, preferLease, resolverText } from "./lease-commands.ts";

const lease: Lease = {
  interface: parseInterfaceName("eth0"),
  address: parseIpv4("10.0.0.5"),
  prefix: 24,
  router: parseIpv4("10.0.0.1"),
  nameServers: [parseIpv4("10.0.0.2")],
  server: parseIpv4("10.0.0.1"),
  seconds: 3600,
};

const said = (kind: string, environment: readonly string[]) =>
  Buffer.from(`udhcpc: started\n\0HPS-DHCP ${kind}\0${environment.map((text) => `${text}\0`).join("")}\0`, "latin1");

const BOUND = [
  ...["interface=eth0", "ip=10.0.0.5", "subnet=255.255.255.0", "mask=24", "router=10.0.0.1 10.0.0.9"],
  ...["dns=10.0.0.2 not-one", "serverid=10.0.0.1", "lease=3600", "domain=\xff\nevil"],
];

test("an event is read from udhcpc's output in pieces of any size", () => {
  const bytes = Buffer.concat([said("deconfig", ["interface=eth0"]), said("bound", BOUND)]);
  for (const size of [1, 7, bytes.length]) {
    const events = new DhcpEvents();
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    expect(pieces.flatMap((piece) => events.push(piece))).toEqual([
      { kind: "none", interface: "eth0" },
      { kind: "lease", lease },
    ]);
  }
});

test("what a network says becomes an address or nothing: no word of it reaches a command", () => {
  const events = new DhcpEvents();
  expect(events.push(said("bound", ["interface=eth0", "ip=10.0.0.5; reboot"]))).toEqual([]);
  expect(events.push(said("bound", ["interface=eth0;x", "ip=10.0.0.5"]))).toEqual([]);
  expect(events.push(said("nak", BOUND))).toEqual([]);
  const odd = ["interface=eth0", "ip=10.0.0.5", "mask=99", "router=$(reboot)", "dns=`x`", "lease=-1"];
  expect(events.push(said("bound", odd))).toEqual([
    { kind: "lease", lease: { interface: "eth0", address: "10.0.0.5", prefix: 24, nameServers: [] } },
  ]);
});

test("a lease is applied with a table of its own, so that answers leave where they were asked", () => {
  expect(applyLease(lease, 3)).toBe(
    [
      "ip rule del pref 1003 2>/dev/null || true",
      "ip route flush table 1003 2>/dev/null || true",
      "ip -f inet addr flush dev eth0 2>/dev/null || true",
      "ip addr add 10.0.0.5/24 broadcast + dev eth0",
      "ip route replace 10.0.0.0/24 dev eth0 table 1003 src 10.0.0.5",
      "ip route replace 10.0.0.1/32 dev eth0 metric 103",
      "ip route replace 10.0.0.1/32 dev eth0 table 1003",
      "ip route replace default via 10.0.0.1 dev eth0 metric 103",
      "ip route replace default via 10.0.0.1 dev eth0 table 1003",
      "ip rule add from 10.0.0.5 lookup 1003 pref 1003",
      "",
    ].join("\n"),
  );
  expect(dropAddress(lease.interface, 3).split("\n")).toHaveLength(4);
});

test("the way to hpsd goes over the card it answered on, by the router when it is elsewhere", () => {
  expect(preferLease(lease, parseIpv4("10.0.0.1")).split("\n")[0]).toBe(
    "ip route replace 10.0.0.1/32 dev eth0 src 10.0.0.5 metric 10",
  );
  expect(preferLease(lease, parseIpv4("192.0.2.7")).split("\n").slice(0, 2)).toEqual([
    "ip route replace 192.0.2.7/32 via 10.0.0.1 dev eth0 src 10.0.0.5 metric 10",
    "ip route replace default via 10.0.0.1 dev eth0 metric 10",
  ]);
});

test("the resolver is told of three name servers at most, each once", () => {
  const more = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"].map(parseIpv4);
  expect(resolverText([lease, { ...lease, nameServers: more }])).toBe(
    "nameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
  );
});

test("firmware that a driver asked for in vain is named once, with the package that brings it", () => {
  const lines = [
    "3,900,123,-;bnx2 0000:01:00.0: firmware: failed to load bnx2/bnx2-mips-09-6.2.1b.fw (-2)",
    "4,901,124,-;bnx2 0000:01:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with error -2",
    "6,902,125,-;e1000 0000:00:03.0 eth0: up",
    "3,903,126,-;odd 1: firmware: failed to load odd/x.bin (-2)",
  ];
  expect(missingFirmware(lines).map(firmwareLine)).toEqual([
    "bnx2 0000:01:00.0 misses its firmware bnx2/bnx2-mips-09-6.2.1b.fw; if it is needed here: hpsctl installer-image build --firmware firmware-bnx2",
    "odd 1 misses its firmware odd/x.bin; if it is needed here: hpsctl installer-image build --firmware PACKAGE",
  ]);
});
