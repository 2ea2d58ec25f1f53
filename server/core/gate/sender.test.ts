import { expect, test } from "vitest";
import { LeaseTable } from "./leases.ts";
import { doubtAbout, type SenderEvidence } from "./sender.ts";

const MAC = "52:54:00:00:00:01";
const OTHER = "52:54:00:00:00:02";
const lease = { mac: MAC, address: "10.0.0.9", seenAt: 1, expiresAt: 100 };
const GOOD: SenderEvidence = { claimedMac: MAC, lease, neighbour: { mac: MAC }, now: 50 };

test.each([
  ["all agree", {}, undefined],
  ["off our link the lease alone speaks", { neighbour: "elsewhere" }, undefined],
  ["beside a foreign DHCP server the link has to speak", { lease: { ...lease, anyAddress: true } }, undefined],
  [
    "and off it nothing does: whoever knows a MAC could send it from anywhere",
    { lease: { ...lease, anyAddress: true }, neighbour: "elsewhere" },
    "not on the boot network",
  ],
  ["no lease of ours", { lease: undefined }, "was not leased by this server"],
  ["a lease that has ended", { now: 100 }, "has ended"],
  ["a stolen lease address", { lease: { ...lease, mac: OTHER } }, "leased to another machine"],
  ["a mac= that is not the sender's", { claimedMac: OTHER }, "another machine's"],
  ["a known address used from another MAC", { neighbour: { mac: OTHER } }, "another machine's"],
  ["nobody on the link", { neighbour: "absent" }, "does not know the sender"],
] as const)("%s", (_, change, expected) => {
  const doubt = doubtAbout({ ...GOOD, ...change });
  if (expected === undefined) expect(doubt).toBeUndefined();
  else expect(doubt).toContain(expected);
});

test("what an answered PXE exchange says of a sender is said to hold for any address", () => {
  const leases = new LeaseTable(50);
  leases.answered(MAC, 10);
  expect(leases.about("192.0.2.1", MAC)).toMatchObject({ mac: MAC, expiresAt: 60, anyAddress: true });
  leases.seen({ ...lease, address: "192.0.2.1" });
  expect(leases.about("192.0.2.1", MAC)).not.toHaveProperty("anyAddress");
});
