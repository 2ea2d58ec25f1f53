import { type Ipv4Address, parseIpv4 } from "../../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../../proto/values/mac.ts";

export interface Lease {
  readonly mac: Mac;
  readonly address: Ipv4Address;
  /** UTC milliseconds; Infinity for a lease without end. */
  readonly expiresAt: number;
}

/** What a client said of itself: anything at all, bounded; bytes that are no UTF-8 are replaced. */
export interface ClientWords {
  readonly clientId: string;
  readonly hostname: string;
  readonly vendorClass: string;
  readonly userClass: string;
}

/** What dnsmasq tells: `old` repeats a lease that is (start, reload, renewal); `pxe` is a PXE exchange answered in proxy mode. */
export type LeaseNews =
  | (Lease & { readonly kind: "add" | "old" | "del"; readonly client: ClientWords })
  | { readonly kind: "pxe"; readonly mac: Mac };

/** The news, and when the machine itself spoke DHCP or PXE last, UTC milliseconds: a repetition does not move it. */
export type LeaseEvent = LeaseNews & { readonly seenAt: number };

const VARIABLES = ["CLIENT_ID", "SUPPLIED_HOSTNAME", "VENDOR_CLASS", "USER_CLASS0"] as const;
export const NO_WORDS: ClientWords = { clientId: "", hostname: "", vendorClass: "", userClass: "" };

/**
 * What dnsmasq runs for each event, one at a time, as `script add|old|del MAC ADDRESS [NAME]`. It interprets nothing: each value goes out
 * behind `=` and before a NUL, which no value can hold, and a record ends with a line feed in the place of that `=`.
 * A pipe, not a socket, because a shell can write to one: an event costs a millisecond. It waits while hpsd does not read;
 * opened for both, it never waits for a reader that is not there (what is lost so is read from the lease file at the next start).
 */
export const LEASE_SCRIPT = `#!/bin/sh
case $1 in add|old|del) ;; *) exit 0 ;; esac
exec 1<>"$HPS_LEASE_PIPE"
printf '=%s\\0' "$1" "$2" "$3" "$DNSMASQ_LEASE_EXPIRES" ${VARIABLES.map((name) => `"$DNSMASQ_${name}"`).join(" ")}
printf '\\n'
`;

const RECORD_LIMIT = 16 * 1024;
const WORD_LIMIT = 255;
const END = Buffer.from("\0\n");

/** Cuts the bytes of the pipe into records. Keeps at most one unfinished record of 16 kB; what is longer is dropped up to its end. */
export class LeaseRecords {
  #rest: Buffer = Buffer.alloc(0);
  #skipping = false;

  push(chunk: Uint8Array): readonly Buffer[] {
    const records: Buffer[] = [];
    let data = Buffer.concat([this.#rest, chunk]);
    for (let at = data.indexOf(END); at !== -1; at = data.indexOf(END)) {
      if (!this.#skipping && at <= RECORD_LIMIT) records.push(data.subarray(0, at));
      this.#skipping = false;
      data = data.subarray(at + END.length);
    }
    if (data.length > RECORD_LIMIT) {
      this.#skipping = true;
      data = data.subarray(-1); // it may be the first half of the end
    }
    this.#rest = Buffer.from(data);
    return records;
  }
}

/** Reads one record; undefined for what is none of ours (another kind of network, a cut line). Never throws. */
export function parseLeaseRecord(record: Buffer): LeaseNews | undefined {
  const fields = record.toString("utf8").split("\0");
  if (fields.length !== 4 + VARIABLES.length || fields.some((field) => !field.startsWith("="))) return undefined;
  const [kind, mac = "", address = "", expires = "", ...words] = fields.map((field) => field.slice(1));
  if (kind !== "add" && kind !== "old" && kind !== "del") return undefined;
  const lease = parseLease(mac, address, expires);
  if (lease === undefined) return undefined;
  const [clientId = "", hostname = "", vendorClass = "", userClass = ""] = words.map((word) =>
    word.slice(0, WORD_LIMIT),
  );
  return { kind, ...lease, client: { clientId, hostname, vendorClass, userClass } };
}

/** A lease from its three texts; undefined when one is not what it should be. Expiry in seconds since the epoch, 0 for none; no text counts as over. */
export function parseLease(mac: string, address: string, expires: string): Lease | undefined {
  if (!/^\d{0,12}$/.test(expires)) return undefined;
  const expiresAt = expires === "0" ? Number.POSITIVE_INFINITY : Number(expires) * 1000;
  try {
    return { mac: parseMac(mac), address: parseIpv4(address), expiresAt };
  } catch {
    return undefined;
  }
}

const PXE_LINE = /^dnsmasq-dhcp\[\d+\]: (?:\d+ )?PXE\(([^\s()]+)\) (?:[\d.]+ )?([0-9a-f]{2}(?::[0-9a-f]{2}){5})(?: |$)/;

/** In proxy mode there are no leases, only dnsmasq's log tells whom it answered. Its line holds nothing a client wrote. */
export function parsePxeLine(line: string): LeaseNews | undefined {
  const mac = PXE_LINE.exec(line)?.[2];
  try {
    return mac === undefined ? undefined : { kind: "pxe", mac: parseMac(mac) };
  } catch {
    return undefined;
  }
}
