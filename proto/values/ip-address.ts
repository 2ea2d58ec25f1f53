import { isIPv4, isIPv6 } from "node:net";
import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** Dotted decimal without leading zeros: `192.0.2.1`. */
export type Ipv4Address = Brand<string, "Ipv4Address">;
/** The canonical text of RFC 5952: `2001:db8::1`. */
export type Ipv6Address = Brand<string, "Ipv6Address">;
export type IpAddress = Ipv4Address | Ipv6Address;

/** Reads four decimal numbers and nothing else: `127.1` and `0177.0.0.1`, which inet_aton takes, are refused. */
export function parseIpv4(text: string): Ipv4Address {
  if (!isIPv4(text)) {
    throw new HpsError("invalid", `not an IPv4 address: ${quote(text)}`, { hint: "write it as 192.0.2.1" });
  }
  return branded<"Ipv4Address", string>(text);
}

/** Reads every spelling of RFC 4291, section 2.2, and gives the one of RFC 5952. A zone (`%eth0`) is refused: it means something on one machine only. */
export function parseIpv6(text: string): Ipv6Address {
  if (!isIPv6(text) || text.includes("%")) {
    throw new HpsError("invalid", `not an IPv6 address: ${quote(text)}`, { hint: "write it as 2001:db8::1" });
  }
  return branded<"Ipv6Address", string>(canonical(groupsOf(text)));
}

/** Reads either kind. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, as a dual-stack socket reports it) is that IPv4 address. */
export function parseIpAddress(text: string): IpAddress {
  if (isIPv4(text)) return parseIpv4(text);
  if (!isIPv6(text)) {
    throw new HpsError("invalid", `not an IP address: ${quote(text)}`, {
      hint: "write it as 192.0.2.1 or 2001:db8::1",
    });
  }
  const address = parseIpv6(text);
  return address.startsWith(MAPPED) && address.includes(".") ? parseIpv4(address.slice(MAPPED.length)) : address;
}

/** The address as an unsigned 32-bit number. */
export function ipv4ToNumber(address: Ipv4Address): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The address an unsigned 32-bit number stands for. */
export function ipv4FromNumber(value: number): Ipv4Address {
  return branded<"Ipv4Address", string>([24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join("."));
}

const MAPPED = "::ffff:";

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(text: string): number[] {
  const hex = text.replace(/\d+\.\d+\.\d+\.\d+$/, (ipv4) => {
    const value = ipv4ToNumber(parseIpv4(ipv4));
    return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
  });
  const [head = [], tail = []] = hex.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

function canonical(groups: readonly number[]): string {
  const [high = 0, low = 0] = groups.slice(6);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `${MAPPED}${ipv4FromNumber(high * 65_536 + low)}`;
  }
  const text = groups.map((group) => group.toString(16)).join(":");
  const runs = text.match(/\b0(:0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest === "" ? text : text.replace(new RegExp(`(^|:)${longest}(:|$)`), "::");
}
