import { HpsError } from "../../../proto/values/hps-error.ts";
import { type Ipv4Address, parseIpv4 } from "../../../proto/values/ip-address.ts";
import { hostRange, type Ipv4Network, rangeContains } from "../../../proto/values/ipv4-network.ts";
import type { HostFields } from "../../store/hosts.ts";

/** What installed hosts find on the boot network; a host with fixed addresses is told all of it. */
export interface TargetLink {
  readonly network: Ipv4Network;
  readonly gateway?: Ipv4Address;
  readonly nameServers: readonly Ipv4Address[];
}

/** How an installed system is to reach the network. */
export type NetworkOrder =
  | { readonly mode: "dhcp"; readonly mac: string }
  | {
      readonly mode: "static";
      readonly mac: string;
      /** With prefix length. */
      readonly addresses: readonly string[];
      /** Empty: none. */
      readonly gateway: string;
      readonly nameServers: readonly string[];
    };

type HostNetwork = Pick<HostFields, "name" | "macs" | "addresses" | "network">;

/** `precondition` for fixed addresses that are not of the boot network, or that the host has not. */
export function networkOrderOf(host: HostNetwork, link: TargetLink | undefined): NetworkOrder {
  const [mac = ""] = host.macs;
  if (host.network === "dhcp") return { mode: "dhcp", mac };
  const what = `host ${host.name} cannot have a static network`;
  if (link === undefined) {
    throw new HpsError("precondition", `${what}: hpsd has no boot network to take prefix and gateway from`, {
      hint: "add the section boot to hpsd's configuration, or use --network dhcp",
    });
  }
  if (host.addresses.length === 0) {
    throw new HpsError("precondition", `${what}: it has no address`, {
      hint: "give it one of the boot network, or use --network dhcp",
    });
  }
  const [, prefix] = link.network.split("/");
  return {
    ...{ mode: "static", mac },
    addresses: host.addresses.map((address) => {
      if (isOf(link.network, address)) return `${address}/${prefix}`;
      throw new HpsError("precondition", `${what}: ${address} is not a host's address in ${link.network}`, {
        hint: "give it addresses of the boot network alone, or use --network dhcp",
      });
    }),
    gateway: link.gateway ?? "",
    nameServers: link.nameServers,
  };
}

/** Of an IPv6 address nobody told the prefix. */
function isOf(network: Ipv4Network, address: string): boolean {
  return !address.includes(":") && rangeContains(hostRange(network), parseIpv4(address));
}
