/** Who sent a boot request, as far as a segment can tell: our lease and the neighbour table must name the same machine. */

/** What DHCP told us of one address: whom we leased it to, or, beside a foreign DHCP server, whose PXE request we answered. */
export interface Lease {
  /** Lower case with colons. */
  readonly mac: string;
  readonly address: string;
  /** UTC milliseconds of the last DHCP exchange. */
  readonly seenAt: number;
  /** UTC milliseconds. */
  readonly expiresAt: number;
}

/** Whom the neighbour table names for the sender's address; `elsewhere` when the sender is not on our link. */
export type Neighbour = { readonly mac: string } | "absent" | "elsewhere";

export interface SenderEvidence {
  /** What the request says. */
  readonly claimedMac: string;
  readonly lease: Lease | undefined;
  readonly neighbour: Neighbour;
  /** UTC milliseconds. */
  readonly now: number;
}

/** Why the sender is not the machine it says; undefined when all that is known agrees. */
export function doubtAbout({ claimedMac, lease, neighbour, now }: SenderEvidence): string | undefined {
  if (neighbour === "absent") return "the neighbour table does not know the sender";
  if (neighbour !== "elsewhere" && neighbour.mac !== claimedMac)
    return "the sender's link address is another machine's";
  if (lease === undefined) return "the sender's address was not leased by this server";
  if (lease.expiresAt <= now) return "the lease of the sender's address has ended";
  if (lease.mac !== claimedMac) return "the sender's address is leased to another machine";
  return undefined;
}
