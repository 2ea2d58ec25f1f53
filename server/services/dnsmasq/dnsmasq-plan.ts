import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Mac } from "../../../proto/values/mac.ts";
import { dnsDomain, dnsLabel } from "./dnsmasq-text.ts";
import { isHostOf, parseIpv4, parseNetwork4 } from "./ipv4.ts";

export interface PlannedHost {
  readonly name: string;
  /** The domain of its cluster. */
  readonly domain: string;
  /** Its boot NICs: all of them lead to the one address. At most 32. */
  readonly macs: readonly Mac[];
  /** Reserved for it, outside the dynamic range; without one it gets a dynamic address. */
  readonly address?: string;
}

export interface ServerMode {
  readonly mode: "server";
  /** What machines without a reservation get; none when absent. */
  readonly range?: { readonly first: string; readonly last: string; readonly leaseSeconds: number };
  readonly hostLeaseSeconds: number;
  /** `lease`: unknown MACs get an address of the range; `ignore`: no answer. */
  readonly unknown: "lease" | "ignore";
  readonly router?: string;
  readonly dnsServers?: readonly string[];
  readonly ntpServers?: readonly string[];
}

/** Another server gives the addresses; ours adds what to boot (PXE 2.1, proxyDHCP). No leases, no reservations. */
export interface ProxyMode {
  readonly mode: "proxy";
}

/** Everything dnsmasq is to do, on exactly one interface and one IPv4 network. */
export interface DnsmasqPlan {
  readonly interface: string;
  /** Our address on that interface. */
  readonly serverAddress: string;
  readonly network: string;
  readonly dhcp: ServerMode | ProxyMode;
  /** Absent: no DNS at all. Our hosts' domains are answered here and never asked upstream. */
  readonly dns?: { readonly upstream: readonly string[]; readonly serverNames: readonly string[] };
  /** Absent: no TFTP; only iPXE clients are told what to boot. The folder holds `undionly.kpxe` and `ipxe.efi`. */
  readonly tftpRoot?: string;
  /** What iPXE is sent to. iPXE replaces its own variables in it, such as `${netX/mac}`. At most 127 bytes, the room BOOTP has. */
  readonly ipxeUrl: string;
  readonly hosts: readonly PlannedHost[];
  /** The account dnsmasq falls back to when started as root. */
  readonly user?: string;
}

function refuse(message: string, hint: string): never {
  throw new HpsError("invalid", message, { hint });
}

/** Throws `invalid` for what dnsmasq would take but not do as meant: overlaps, doubles, addresses outside the network. */
export function checkPlan(plan: DnsmasqPlan): void {
  if (!/^[A-Za-z0-9._-]{1,15}$/.test(plan.interface)) {
    refuse(`not an interface: ${JSON.stringify(plan.interface.slice(0, 64))}`, "name exactly one, without wildcards");
  }
  const taken = new Map([[addressIn(plan, plan.serverAddress, "the server"), "the server"]]);
  const range = plan.dhcp.mode === "server" ? plan.dhcp.range : undefined;
  const pool = range === undefined ? undefined : checkRange(plan, range);
  if (Buffer.byteLength(plan.ipxeUrl) > 127) refuse("the boot URL is too long for DHCP", "at most 127 bytes");
  const owners = new Map<string, string>();
  for (const host of plan.hosts) {
    checkHost(host, owners);
    if (host.address === undefined) continue;
    const address = addressIn(plan, host.address, host.name);
    const other = taken.get(address);
    if (other !== undefined)
      refuse(`${host.address} is ${other}'s and ${host.name}'s`, "give one of them another address");
    taken.set(address, host.name);
    if (pool !== undefined && address >= pool.first && address <= pool.last) {
      refuse(`${host.address} of ${host.name} lies in the dynamic range`, "reserve an address outside of it");
    }
  }
}

function checkHost(host: PlannedHost, owners: Map<string, string>): void {
  dnsLabel(host.name);
  dnsDomain(host.domain);
  if (host.macs.length === 0 || host.macs.length > 32)
    refuse(`${host.name} has ${host.macs.length} MACs`, "give it 1 to 32");
  for (const mac of host.macs) {
    const owner = owners.get(mac);
    if (owner !== undefined) refuse(`${mac} is ${owner}'s and ${host.name}'s`, "a MAC belongs to one host");
    owners.set(mac, host.name);
  }
}

function addressIn(plan: DnsmasqPlan, text: string, whose: string): number {
  const address = parseIpv4(text);
  if (!isHostOf(parseNetwork4(plan.network), address)) {
    refuse(`${text} of ${whose} is no host address in ${plan.network}`, "choose one inside the network");
  }
  return address;
}

function checkRange(plan: DnsmasqPlan, range: { first: string; last: string; leaseSeconds: number }) {
  const [first, last] = [addressIn(plan, range.first, "the range"), addressIn(plan, range.last, "the range")];
  if (first > last) refuse(`the range ${range.first} to ${range.last} is empty`, "put the lower address first");
  const server = parseIpv4(plan.serverAddress);
  if (server >= first && server <= last)
    refuse(`the server's ${plan.serverAddress} lies in the dynamic range`, "move the range");
  if (range.leaseSeconds < 120)
    refuse(`a lease of ${range.leaseSeconds} s is too short`, "dnsmasq gives 120 s at least");
  return { first, last };
}
