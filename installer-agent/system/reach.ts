import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type Ipv4Address, parseIpv4 } from "../../proto/values/ip-address.ts";

/** Opens a connection to `url`'s host and port from this address of ours and closes it; gives the address that answered. Throws `unavailable`, saying why. */
export async function reach(url: URL, from: Ipv4Address, limitMs: number): Promise<Ipv4Address> {
  const host = url.hostname;
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  try {
    const { address } = await lookup(host, { family: 4 });
    await connected({ host: address, port, localAddress: from }, limitMs);
    return parseIpv4(address);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "no answer";
    throw new HpsError("unavailable", `hpsd cannot be reached from ${from}: ${why}`, { cause });
  }
}

function connected(where: { host: string; port: number; localAddress: string }, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...where, family: 4 });
    const end = (settle: () => void) => {
      socket.destroy();
      settle();
    };
    socket.setTimeout(limitMs, () => end(() => reject(new Error("no answer"))));
    socket.once("connect", () => end(resolve));
    socket.once("error", (error) => end(() => reject(error)));
  });
}
