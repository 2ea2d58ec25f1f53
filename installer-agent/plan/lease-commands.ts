import type { InterfaceName } from "../../proto/values/interface-name.ts";
import { type Ipv4Address, ipv4FromNumber, ipv4ToNumber } from "../../proto/values/ip-address.ts";
import type { Lease } from "./dhcp-event.ts";

/** One call of `ip`; it may fail where what it removes need not be there. */
interface Command {
  readonly argv: readonly string[];
  readonly mayFail?: boolean;
}

/** Preference among default routes: the interface over which hpsd answered first, then the others in their order. */
const FIRST_METRIC = 10;
const OTHER_METRIC = 100;
/** Routing tables and rules of our own begin here; one per interface, so that an answer leaves by the interface its address belongs to. */
const FIRST_TABLE = 1000;

/** Gives the interface the lease's address, and what leaves from that address the interface's own routes. `index` is the interface's number. */
export function applyLease(lease: Lease, index: number): string {
  const { interface: device, address, prefix, router } = lease;
  const table = `${FIRST_TABLE + index}`;
  const own = ["dev", device, "table", table];
  return script([
    ...dropCommands(device, index),
    { argv: ip("addr", "add", `${address}/${prefix}`, "broadcast", "+", "dev", device) },
    { argv: ip("route", "replace", networkOf(lease), ...own, "src", address) },
    ...(router === undefined
      ? []
      : [
          // A router outside of the network is on the link all the same.
          { argv: ip("route", "replace", `${router}/32`, "dev", device, "metric", `${OTHER_METRIC + index}`) },
          { argv: ip("route", "replace", `${router}/32`, ...own) },
          {
            argv: ip("route", "replace", "default", "via", router, "dev", device, "metric", `${OTHER_METRIC + index}`),
          },
          { argv: ip("route", "replace", "default", "via", router, ...own) },
        ]),
    { argv: ip("rule", "add", "from", address, "lookup", table, "pref", table) },
  ]);
}

/** Takes from the interface what `applyLease` gave it. */
export function dropAddress(device: InterfaceName, index: number): string {
  return script(dropCommands(device, index));
}

function dropCommands(device: InterfaceName, index: number): readonly Command[] {
  const table = `${FIRST_TABLE + index}`;
  return [
    { argv: ip("rule", "del", "pref", table), mayFail: true },
    { argv: ip("route", "flush", "table", table), mayFail: true },
    { argv: ip("-f", "inet", "addr", "flush", "dev", device), mayFail: true },
  ];
}

/** Makes the lease's interface the way to hpsd, which answered at `server`, and to all else. */
export function preferLease(lease: Lease, server: Ipv4Address): string {
  const { interface: device, address, router } = lease;
  const via = isOnLink(lease, server) || router === undefined ? [] : ["via", router];
  const metric = ["metric", `${FIRST_METRIC}`];
  const server32 = ip("route", "replace", `${server}/32`, ...via, "dev", device, "src", address, ...metric);
  const rest = ip("route", "replace", "default", "via", router ?? "", "dev", device, ...metric);
  return script([{ argv: server32 }, ...(router === undefined ? [] : [{ argv: rest }])]);
}

/** What a resolver reads: the name servers of all leases, the first lease's first, at most three as C libraries take. */
export function resolverText(leases: readonly Lease[]): string {
  const servers = [...new Set(leases.flatMap(({ nameServers }) => nameServers))].slice(0, 3);
  return servers.map((server) => `nameserver ${server}\n`).join("");
}

function isOnLink(lease: Lease, server: Ipv4Address): boolean {
  return networkOf(lease) === networkOf({ ...lease, address: server });
}

function networkOf({ address, prefix }: Pick<Lease, "address" | "prefix">): string {
  const size = 2 ** (32 - prefix);
  const value = ipv4ToNumber(address);
  return `${ipv4FromNumber(value - (value % size))}/${prefix}`;
}

/** For `sh -e`: one process instead of ten. Every word is a parsed value or ours, and means nothing to a shell. */
function script(commands: readonly Command[]): string {
  const lines = commands.map(
    ({ argv, mayFail = false }) => `${argv.join(" ")}${mayFail ? " 2>/dev/null || true" : ""}\n`,
  );
  return lines.join("");
}

function ip(...words: readonly string[]): readonly string[] {
  return ["ip", ...words];
}
