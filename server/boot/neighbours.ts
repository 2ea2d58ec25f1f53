import { open } from "node:fs/promises";
import type { Ipv4Address } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";

const TABLE = "/proc/self/net/arp";
/** Far above what the kernel keeps (gc_thresh3 is 1024 entries of 80 bytes unless raised). */
const LIMIT = 4 * 1024 * 1024;
const COMPLETE = 0x2;
const ETHERNET = 0x1;

/** The MAC of an address in the kernel's table text (proc(5), /proc/net/arp): `address type flags MAC mask device`. */
export function neighbourIn(table: string, address: Ipv4Address): Mac | undefined {
  for (const line of table.split("\n").slice(1)) {
    const [ip, type = "", flags = "", mac = ""] = line.split(/\s+/);
    if (ip !== address || Number(type) !== ETHERNET || (Number(flags) & COMPLETE) === 0) continue;
    try {
      return parseMac(mac);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Which MAC the kernel believes to have the address on our links. While a connection is open its sender has an entry. */
export async function neighbourOf(address: Ipv4Address): Promise<Mac | undefined> {
  const table = await open(TABLE).catch(() => undefined);
  if (table === undefined) return undefined;
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of table.createReadStream({ autoClose: false })) {
      size += chunk.length;
      if (size > LIMIT) return undefined;
      chunks.push(Buffer.from(chunk));
    }
    return neighbourIn(Buffer.concat(chunks).toString("latin1"), address);
  } finally {
    await table.close();
  }
}
