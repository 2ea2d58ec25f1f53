import type { DomainName } from "../../../proto/values/domain-name.ts";
import type { HostName } from "../../../proto/values/host-name.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { InterfaceName } from "../../../proto/values/interface-name.ts";
import type { Ipv4Address } from "../../../proto/values/ip-address.ts";
import {
  hostRange,
  type Ipv4Network,
  type Ipv4Range,
  rangeContains,
  rangeSize,
} from "../../../proto/values/ipv4-network.ts";
import type { Mac } from "../../../proto/values/mac.ts";

export interface PlannedHost {
  readonly name: HostName;
  /** The domain of its cluster. */
  readonly domain: DomainName;
  /** Its boot NICs: all of them lead to the one address. At most 32. */
  readonly macs: readonly Mac[];
  /** Reserved for it, outside the dynamic range; without one it gets a dynamic address. */
  readonly address?: Ipv4Address;
}

export interface ServerMode {
  readonly mode: "server";
  /** What machines without a reservation get; none when absent. */
  readonly range?: Ipv4Range & { readonly leaseSeconds: number };
  readonly hostLeaseSeconds: number;
  /** `lease`: unknown MACs get an address of the range; `ignore`: no answer. */
  readonly unknown: "lease" | "ignore";
  readonly router?: Ipv4Address;
  readonly dnsServers?: readonly Ipv4Address[];
  readonly ntpServers?: readonly Ipv4Address[];
}

/** Another server gives the addresses; ours adds what to boot (PXE 2.1, proxyDHCP). No leases, no reservations. */
interface ProxyMode {
  readonly mode: "proxy";
}

/** Everything dnsmasq is to do, on exactly one interface and one IPv4 network. */
export interface DnsmasqPlan {
  readonly interface: InterfaceName;
  /** Our address on that interface. */
  readonly serverAddress: Ipv4Address;
  readonly network: Ipv4Network;
  readonly dhcp: ServerMode | ProxyMode;
  /** Absent: no DNS at all. Our hosts' domains are answered here and never asked upstream. */
  readonly dns?: { readonly upstream: readonly Ipv4Address[]; readonly serverNames: readonly DomainName[] };
  /** Absent: no TFTP; only iPXE clients are told what to boot. The folder holds `undionly.kpxe` and `ipxe.efi`. */
  readonly tftpRoot?: string;
  /** Where UEFI's HTTP boot finds `ipxe.efi`; absent: such machines are told nothing. Only where we give the addresses. */
  readonly httpBootUrl?: string;
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
  const range = plan.dhcp.mode === "server" ? plan.dhcp.range : undefined;
  checkInside(plan, plan.serverAddress, "the server");
  if (range !== undefined) checkRange(plan, range);
  for (const url of [plan.ipxeUrl, plan.httpBootUrl ?? ""]) {
    if (Buffer.byteLength(url) > 127) refuse("the boot URL is too long for DHCP", "at most 127 bytes");
  }
  const taken = new Map<Ipv4Address, string>([[plan.serverAddress, "the server"]]);
  const owners = new Map<Mac, string>();
  for (const host of plan.hosts) {
    checkMacs(host, owners);
    if (host.address === undefined) continue;
    checkInside(plan, host.address, host.name);
    const other = taken.get(host.address);
    if (other !== undefined)
      refuse(`${host.address} is ${other}'s and ${host.name}'s`, "give one of them another address");
    taken.set(host.address, host.name);
    if (range !== undefined && rangeContains(range, host.address)) {
      refuse(`${host.address} of ${host.name} lies in the dynamic range`, "reserve an address outside of it");
    }
  }
}

function checkMacs({ name, macs }: PlannedHost, owners: Map<Mac, string>): void {
  if (macs.length === 0 || macs.length > 32) refuse(`${name} has ${macs.length} MACs`, "give it 1 to 32");
  for (const mac of macs) {
    const owner = owners.get(mac);
    if (owner !== undefined) refuse(`${mac} is ${owner}'s and ${name}'s`, "a MAC belongs to one host");
    owners.set(mac, name);
  }
}

function checkInside({ network }: DnsmasqPlan, address: Ipv4Address, whose: string): void {
  if (!rangeContains(hostRange(network), address)) {
    refuse(`${address} of ${whose} is no host address in ${network}`, "choose one inside the network");
  }
}

function checkRange(plan: DnsmasqPlan, range: Ipv4Range & { readonly leaseSeconds: number }): void {
  for (const end of [range.from, range.to]) checkInside(plan, end, "the range");
  if (rangeSize(range) === 0) refuse(`the range ${range.from} to ${range.to} is empty`, "put the lower address first");
  if (rangeContains(range, plan.serverAddress))
    refuse(`the server's ${plan.serverAddress} lies in the dynamic range`, "move the range");
  if (range.leaseSeconds < 120)
    refuse(`a lease of ${range.leaseSeconds} s is too short`, "dnsmasq gives 120 s at least");
}
