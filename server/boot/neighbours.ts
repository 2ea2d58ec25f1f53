import { open } from "node:fs/promises";
import { type IpAddress, type Ipv4Address, parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Ipv4Network, networkContains } from "../../proto/values/ipv4-network.ts";
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

/** `10.0.0.1` from what a socket says, which may be `::ffff:10.0.0.1`. */
export function plainAddress(remote: string): string {
  return remote.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Whom the neighbour table names for an address: `absent` when nobody, `elsewhere` when the address is not on our link. */
export type SeenNeighbour = { readonly mac: Mac } | "absent" | "elsewhere";

/** Asks the kernel who has an address of that link. While a connection is open its sender has an entry. */
export function neighbourReader(link: Ipv4Network): (address: IpAddress) => Promise<SeenNeighbour> {
  return async (address) => {
    const plain = parseIpAddress(address);
    if (!isIpv4(plain) || !networkContains(link, plain)) return "elsewhere";
    const mac = neighbourIn(await readTable(), plain);
    return mac === undefined ? "absent" : { mac };
  };
}

function isIpv4(address: IpAddress): address is Ipv4Address {
  return !address.includes(":");
}

/** Empty when there is none, or one so long that it is not the kernel's usual. */
async function readTable(): Promise<string> {
  const table = await open(TABLE).catch(() => undefined);
  if (table === undefined) return "";
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of table.createReadStream({ autoClose: false })) {
      size += chunk.length;
      if (size > LIMIT) return "";
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks).toString("latin1");
  } finally {
    await table.close();
  }
}
