import { rename, writeFile } from "node:fs/promises";
import type { LinkEffects } from "../install/uplinks.ts";
import type { Log } from "../log.ts";
import { applyLease, dropAddress, preferLease, resolverText } from "../plan/lease-commands.ts";
import { runDhcp } from "./dhcp-client.ts";
import { hasCarrier, linkSpeed, listLinks } from "./links.ts";
import { reach } from "./reach.ts";
import { runTool } from "./tool.ts";

const COMMAND_MS = 10_000;
const REACH_MS = 5_000;
const RESOLVER = "/etc/resolv.conf";

/** The network cards of this machine, which must be the installer's own: what is done here would cut off any other. */
export async function machineLinks(hpsd: URL, log: Log, signal: AbortSignal): Promise<LinkEffects> {
  const debug = (line: string) => log.debug(line);
  const run = async (script: string) => {
    await runTool(["sh", "-e", "-c", script], { signal, log: debug, limitMs: COMMAND_MS });
  };
  return {
    list: () => listLinks(),
    setUp: async ({ name }) => {
      // A route over a dead cable is none. Said of each card: kernels such as Debian 12's do not heed what is said of `all`.
      await writeFile(`/proc/sys/net/ipv4/conf/${name}/ignore_routes_with_linkdown`, "1").catch(() => undefined);
      await run(`ip link set dev ${name} up`);
    },
    hasCarrier: (name) => hasCarrier(name),
    speed: (name) => linkSpeed(name),
    dhcp: runDhcp,
    apply: (lease, { index }) => run(applyLease(lease, index)),
    drop: ({ name, index }) => run(dropAddress(name, index)),
    reach: (lease) => reach(hpsd, lease.address, REACH_MS),
    prefer: (lease, server) => run(preferLease(lease, server)),
    resolve: async (leases) => {
      await writeFile(`${RESOLVER}.new`, resolverText(leases));
      await rename(`${RESOLVER}.new`, RESOLVER);
    },
  };
}
