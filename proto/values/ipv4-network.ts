import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { type Ipv4Address, ipv4FromNumber, ipv4ToNumber, parseIpv4 } from "./ip-address.ts";
import { quote } from "./safe-text.ts";

/** A network in CIDR notation, its host bits zero: `192.0.2.0/24`. */
export type Ipv4Network = Brand<string, "Ipv4Network">;

/** Addresses from the first to the last, both included. */
export interface Ipv4Range {
  readonly from: Ipv4Address;
  readonly to: Ipv4Address;
}

/** Reads `192.0.2.0/24`. An address with host bits set is refused with the network it is in as the hint. */
export function parseIpv4Network(text: string): Ipv4Network {
  const [, address = "", length = ""] = /^([0-9.]{7,15})\/(\d|[12]\d|3[0-2])$/.exec(text) ?? [];
  if (length === "") {
    throw new HpsError("invalid", `not an IPv4 network: ${quote(text)}`, { hint: "write it as 192.0.2.0/24" });
  }
  const value = ipv4ToNumber(parseIpv4(address));
  const base = value - (value % sizeOfPrefix(Number(length)));
  if (base !== value) {
    throw new HpsError("invalid", `${text} is an address in a network, not a network`, {
      hint: `the network is ${ipv4FromNumber(base)}/${length}`,
    });
  }
  return branded<"Ipv4Network", string>(text);
}

/** All addresses of the network, its own and the broadcast address included. */
export function networkRange(network: Ipv4Network): Ipv4Range {
  const { base, size } = partsOf(network);
  return { from: ipv4FromNumber(base), to: ipv4FromNumber(base + size - 1) };
}

/** The addresses hosts may have: without the network's own and the broadcast address, save in a /31 (RFC 3021) or /32. */
export function hostRange(network: Ipv4Network): Ipv4Range {
  const { base, size } = partsOf(network);
  return size <= 2 ? networkRange(network) : { from: ipv4FromNumber(base + 1), to: ipv4FromNumber(base + size - 2) };
}

export function networkContains(network: Ipv4Network, address: Ipv4Address): boolean {
  return rangeContains(networkRange(network), address);
}

export function rangeContains(range: Ipv4Range, address: Ipv4Address): boolean {
  const value = ipv4ToNumber(address);
  return ipv4ToNumber(range.from) <= value && value <= ipv4ToNumber(range.to);
}

/** How many addresses the range holds; 0 when it is the wrong way round. */
export function rangeSize(range: Ipv4Range): number {
  return Math.max(0, ipv4ToNumber(range.to) - ipv4ToNumber(range.from) + 1);
}

/** `255.255.255.0` for a /24. */
export function netmask(network: Ipv4Network): Ipv4Address {
  return ipv4FromNumber(2 ** 32 - partsOf(network).size);
}

function partsOf(network: Ipv4Network): { readonly base: number; readonly size: number } {
  const [address = "", length = ""] = network.split("/");
  return { base: ipv4ToNumber(parseIpv4(address)), size: sizeOfPrefix(Number(length)) };
}

function sizeOfPrefix(length: number): number {
  return 2 ** (32 - length);
}
