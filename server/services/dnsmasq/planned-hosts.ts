import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { type Ipv4Address, parseIpv4 } from "../../../proto/values/ip-address.ts";
import {
  type Ipv4Network,
  type Ipv4Range,
  networkContains,
  rangeContains,
} from "../../../proto/values/ipv4-network.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import type { DhcpHost } from "../../core/hosts/host-plan.ts";
import type { PlannedHost } from "./dnsmasq-plan.ts";

/** The boot network, as far as an address has to fit into it. */
export interface BootLink {
  readonly network: Ipv4Network;
  readonly serverAddress: Ipv4Address;
  readonly range?: Ipv4Range;
}

export interface PlannedHosts {
  readonly hosts: readonly PlannedHost[];
  /** A sentence for each host that does not get the address it should have. */
  readonly problems: readonly string[];
}

const MAX_MACS = 32;

/**
 * The hosts as dnsmasq is told them. One host that does not fit must not keep the others from booting: it is told without
 * its address, and said to be.
 */
export function plannedHosts(hosts: readonly DhcpHost[], link: BootLink): PlannedHosts {
  const planned = hosts.map((host) => ({ host, problem: problemOf(host, link) }));
  return {
    hosts: planned.map(({ host, problem }) => ({
      name: parseHostName(host.name),
      domain: parseDomainName(host.domain),
      macs: host.macs.slice(0, MAX_MACS).map(parseMac),
      ...(problem === undefined &&
        host.address !== undefined &&
        isHere(host.address, link) && { address: parseIpv4(host.address) }),
    })),
    problems: planned.flatMap(({ problem }) => problem ?? []),
  };
}

function problemOf({ name, macs, address }: DhcpHost, link: BootLink): string | undefined {
  if (macs.length > MAX_MACS) return `${name} has ${macs.length} MAC addresses, of which ${MAX_MACS} get its address`;
  if (address === undefined || !isHere(address, link)) return undefined;
  const ipv4 = parseIpv4(address);
  if (ipv4 === link.serverAddress) return `the address of ${name} is the server's own: ${address}`;
  if (link.range && rangeContains(link.range, ipv4))
    return `the address of ${name} lies in the range for unknown machines: ${address}`;
  return undefined;
}

/** A host may have addresses of other networks; those are not ours to give. */
function isHere(address: string, { network }: BootLink): boolean {
  return !address.includes(":") && networkContains(network, parseIpv4(address));
}
