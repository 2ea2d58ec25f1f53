import { expect, test } from "vitest";
import { doubtAbout, type SenderEvidence } from "./sender.ts";

const MAC = "52:54:00:00:00:01";
const OTHER = "52:54:00:00:00:02";
const lease = { mac: MAC, address: "10.0.0.9", seenAt: 1, expiresAt: 100 };
const GOOD: SenderEvidence = { claimedMac: MAC, lease, neighbour: { mac: MAC }, now: 50 };

test.each([
  ["all agree", {}, undefined],
  ["off our link the lease alone speaks", { neighbour: "elsewhere" }, undefined],
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
