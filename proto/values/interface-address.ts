import { HpsError } from "./hps-error.ts";
import { type IpAddress, parseIpAddress } from "./ip-address.ts";
import { quote } from "./safe-text.ts";

/** What an interface is given: an address and how many bits of it name its network. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly prefix: number;
}

/** Reads `10.0.0.5/24` or `2001:db8::5/64`. */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  const [, host = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (length === "") {
    throw new HpsError("invalid", `not an address with its prefix length: ${quote(text)}`, {
      hint: "write it as 10.0.0.5/24",
    });
  }
  const address = parseIpAddress(host);
  const longest = address.includes(":") ? 128 : 32;
  const prefix = Number(length);
  if (prefix > longest || prefix === 0 || length !== `${prefix}`) {
    throw new HpsError("invalid", `${quote(text)} has a prefix length that is not from 1 to ${longest}`);
  }
  return { address, prefix };
}

/** The text that `parseInterfaceAddress` reads. */
export function formatInterfaceAddress({ address, prefix }: InterfaceAddress): string {
  return `${address}/${prefix}`;
}
