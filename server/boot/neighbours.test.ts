import { expect, test } from "vitest";
import { parseIpAddress, parseIpv4 } from "../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../proto/values/ipv4-network.ts";
import { neighbourIn, neighbourReader, plainAddress } from "./neighbours.ts";

const MINE = "52:54:00:00:00:01";
const OTHER = "52:54:00:00:00:02";

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

test("only addresses of the link are looked up", async () => {
  const read = neighbourReader(parseIpv4Network("192.0.2.0/24"));
  for (const away of ["198.51.100.1", "2001:db8::1"]) expect(await read(parseIpAddress(away))).toBe("elsewhere");
  expect(await read(parseIpAddress("192.0.2.77"))).toBe("absent");
  expect(plainAddress("::ffff:10.77.0.1")).toBe("10.77.0.1");
  expect(plainAddress("::ffff:a00:1")).toBe("::ffff:a00:1");
});
