import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { identifySender, parseClaimedMac } from "./client-mac.ts";
import { neighbourIn } from "./neighbours.ts";

const MINE = parseMac("52:54:00:00:00:01");
const OTHER = parseMac("52:54:00:00:00:02");

test("a MAC is believed when all that can tell agree, in any case or spelling", () => {
  const facts = { claimed: "52-54-00-00-00-01", leased: MINE, onLink: true, neighbour: MINE };
  expect(identifySender(facts)).toEqual({ known: true, mac: MINE });
  expect(identifySender({ ...facts, onLink: false, neighbour: undefined })).toEqual({ known: true, mac: MINE });
});

test.each([
  ["the request names no MAC address", { claimed: undefined }],
  ["the request names no MAC address", { claimed: ["52:54:00:00:00:01", "52:54:00:00:00:02"] }],
  ["the sender holds no address given by this server", { leased: undefined }],
  ["the MAC address is not the sender's", { claimed: OTHER }],
  ["the sender is not seen on its network", { neighbour: undefined }],
  ["the address is used by another machine", { neighbour: OTHER }],
  ["the address is used by another machine", { neighbour: OTHER, onLink: false }],
])("refused: %s", (reason, wrong) => {
  const facts = { claimed: MINE, leased: MINE, onLink: true, neighbour: MINE };
  expect(identifySender({ ...facts, ...wrong })).toMatchObject({ known: false, reason });
});

test("any query value is a MAC or none", () => {
  fc.assert(fc.property(fc.anything(), (value) => void parseClaimedMac(value)));
});

test("the neighbour table: only a complete Ethernet entry of just that address", () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
10.77.0.1        0x1         0x2         52:54:00:00:00:01     *        br0
10.77.0.2        0x1         0x0         00:00:00:00:00:00     *        br0
10.77.0.3        0x1         0x6         52:54:00:00:00:02     *        br0
10.77.0.4        0x20        0x2         52:54:00:00:00:03     *        ib0
`;
  const of = (address: string) => neighbourIn(table, parseIpv4(address));
  expect(["10.77.0.1", "10.77.0.3"].map(of)).toEqual([MINE, OTHER]);
  for (const other of ["10.77.0.2", "10.77.0.4", "10.77.0.5"]) expect(of(other)).toBeUndefined();
});
