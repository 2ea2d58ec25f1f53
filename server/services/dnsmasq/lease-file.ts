import { type Lease, parseLease } from "./lease-event.ts";

/** The IPv4 leases of dnsmasq's lease file (`expiry MAC address name client-id` a line); lines that are none are passed over. */
export function parseLeaseFile(text: string): readonly Lease[] {
  return text.split("\n").flatMap((line) => leaseOf(line) ?? []);
}

/** The same text without the leases that `drop` picks; every other line stays as it is. */
export function withoutLeases(text: string, drop: (lease: Lease) => boolean): string {
  const kept = text.split("\n").filter((line) => {
    const lease = leaseOf(line);
    return lease === undefined || !drop(lease);
  });
  return kept.join("\n");
}

function leaseOf(line: string): Lease | undefined {
  const [expires = "", mac = "", address = ""] = line.split(" ");
  return expires === "" ? undefined : parseLease(mac, address, expires);
}
