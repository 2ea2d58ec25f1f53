import { HpsError } from "../../../proto/values/hps-error.ts";

/** An IPv4 network: first address, prefix length, all as unsigned 32-bit numbers. */
export interface Network4 {
  readonly base: number;
  readonly prefix: number;
}

/** Reads dotted decimal, four plain numbers without leading zeros (which some readers take as octal). */
export function parseIpv4(text: string): number {
  const parts = text.split(".");
  const valid = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  if (!valid) throw new HpsError("invalid", `not an IPv4 address: ${JSON.stringify(text.slice(0, 64))}`);
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

/** Reads `10.77.0.0/24`; the address may be any of the network. Prefix 8 to 30: what has room for hosts. */
export function parseNetwork4(text: string): Network4 {
  const [address = "", length = "", more] = text.split("/");
  const prefix = /^\d{1,2}$/.test(length) ? Number(length) : -1;
  if (more !== undefined || prefix < 8 || prefix > 30) {
    throw new HpsError("invalid", `not an IPv4 network: ${JSON.stringify(text.slice(0, 64))}`, {
      hint: "write it as 10.77.0.0/24, prefix 8 to 30",
    });
  }
  return { base: (parseIpv4(address) & maskOf(prefix)) >>> 0, prefix };
}

export function maskOf(prefix: number): number {
  return (0xffffffff << (32 - prefix)) >>> 0;
}

/** Whether a host may have the address: in the network, and neither its own nor its broadcast address. */
export function isHostOf(network: Network4, address: number): boolean {
  const last = (network.base | ~maskOf(network.prefix)) >>> 0;
  return address > network.base && address < last;
}
