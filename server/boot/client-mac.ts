import { type Mac, parseMac } from "../../proto/values/mac.ts";

/** What is known of the sender of a boot request, each from another source. */
export interface SenderFacts {
  /** The request's `mac`, as it came. */
  readonly claimed: unknown;
  /** Who holds our lease on the sender's address; in proxy mode, `claimed` when we answered its PXE exchange. */
  readonly leased: Mac | undefined;
  /** Whether the sender's address is on a network we are on ourselves. */
  readonly onLink: boolean;
  /** What the neighbour table says of the sender's address. */
  readonly neighbour: Mac | undefined;
}

export type Sender =
  | { readonly known: true; readonly mac: Mac }
  /** `claimed` is for the audit event; `reason` may be shown. */
  | { readonly known: false; readonly claimed: Mac | undefined; readonly reason: string };

/** The MAC of a query; undefined for what is none. Never throws. */
export function parseClaimedMac(value: unknown): Mac | undefined {
  if (typeof value !== "string" || value.length > 32) return undefined;
  try {
    return parseMac(value);
  } catch {
    return undefined;
  }
}

/** Believes a MAC only when every source that can tell agrees. */
export function identifySender({ claimed: said, leased, onLink, neighbour }: SenderFacts): Sender {
  const claimed = parseClaimedMac(said);
  const refuse = (reason: string): Sender => ({ known: false, claimed, reason });
  if (claimed === undefined) return refuse("the request names no MAC address");
  if (leased === undefined) return refuse("the sender holds no address given by this server");
  if (leased !== claimed) return refuse("the MAC address is not the sender's");
  if (onLink && neighbour === undefined) return refuse("the sender is not seen on its network");
  if (neighbour !== undefined && neighbour !== claimed) return refuse("the address is used by another machine");
  return { known: true, mac: claimed };
}
