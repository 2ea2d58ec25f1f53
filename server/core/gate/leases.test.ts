import { expect, test } from "vitest";
import { LeaseTable } from "./leases.ts";

const MAC = "52:54:00:00:00:01";
const ADDRESS = "192.0.2.7";
const lease = { mac: MAC, address: ADDRESS, seenAt: 1, expiresAt: 2 };

test("what DHCP says a moment later counts for a machine that asks at once", async () => {
  const leases = new LeaseTable(1000);
  leases.seen({ ...lease, mac: "52:54:00:00:00:02" });
  const asked = leases.soonAbout(ADDRESS, MAC, 10_000);
  leases.seen({ ...lease, address: "192.0.2.8" });
  leases.seen(lease);
  expect(await asked).toEqual(lease);
  const proxied = leases.soonAbout("192.0.2.99", "52:54:00:00:00:09", 10_000);
  leases.answered("52:54:00:00:00:09", 5);
  expect(await proxied).toMatchObject({ seenAt: 5, expiresAt: 1005 });
});

test("nothing is waited for that is there, nor for longer than it may, nor by more than may wait", async () => {
  const leases = new LeaseTable(1000);
  expect(await leases.soonAbout(ADDRESS, MAC, 0)).toBeUndefined();
  expect(await leases.soonAbout(ADDRESS, MAC, 20)).toBeUndefined();
  const crowd = Array.from({ length: 256 }, async () => await leases.soonAbout(ADDRESS, MAC, 60_000));
  expect(await leases.soonAbout(ADDRESS, MAC, 60_000)).toBeUndefined();
  leases.seen(lease);
  expect(new Set(await Promise.all(crowd))).toEqual(new Set([lease]));
});
