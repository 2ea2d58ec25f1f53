import { formatInterfaceAddress, type InterfaceAddress } from "../../proto/values/interface-address.ts";
import type { IpAddress } from "../../proto/values/ip-address.ts";
import type { Mac } from "../../proto/values/mac.ts";
import type { TargetFile } from "./target-file.ts";

/** What an image configures its network with. */
export interface ImageNetwork {
  readonly manager: "systemd-networkd" | "ifupdown" | "NetworkManager";
  /** It has systemd-networkd but does not start it. */
  readonly enable: boolean;
  /** Who fills /etc/resolv.conf: systemd-resolved, the manager by itself, or nobody. */
  readonly resolver: "resolved" | "manager" | "nobody";
  /** Where /etc/resolv.conf leads, when it is a link. */
  readonly resolvLink: string | undefined;
}

/** How the installed system is to reach the network, with the NIC it does it by. */
export interface TargetNetwork {
  readonly mac: Mac;
  readonly mode: "dhcp" | "static";
  readonly addresses: readonly InterfaceAddress[];
  readonly gateway: IpAddress | undefined;
  /** In mode dhcp those that the installer was told: only for an image in which nobody else would write them down. */
  readonly nameServers: readonly IpAddress[];
  /** Empty: none. */
  readonly domain: string;
}

/** The files that make the image's own network configuration do it, by the NIC's MAC address: its name is the system's to choose. */
export function networkFiles(image: ImageNetwork, network: TargetNetwork): readonly TargetFile[] {
  const writers = { "systemd-networkd": networkd, ifupdown, NetworkManager: networkManager };
  return [...writers[image.manager](network, image), ...resolvConf(image, network)];
}

const isV6 = (address: string) => address.includes(":");

function networkd(network: TargetNetwork, { enable }: ImageNetwork): readonly TargetFile[] {
  const { mac, addresses, gateway, nameServers, domain } = network;
  const fixed = [
    ...addresses.map((address) => `Address=${formatInterfaceAddress(address)}`),
    ...(gateway === undefined ? [] : [`Gateway=${gateway}`]),
    ...nameServers.map((server) => `DNS=${server}`),
    ...(domain === "" ? [] : [`Domains=${domain}`]),
  ];
  // By its MAC the server knows it; the default identifier is made of the machine-id, so each installation would be a stranger.
  const leased = ["DHCP=yes", "", "[DHCPv4]", "ClientIdentifier=mac", "UseHostname=no"];
  const lines = ["[Match]", `MACAddress=${mac}`, "Type=ether", "", "[Network]"];
  const content = [...lines, ...(network.mode === "static" ? fixed : leased), ""].join("\n");
  const wants = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
  const link: TargetFile = { path: wants, link: "/lib/systemd/system/systemd-networkd.service" };
  return [{ path: "etc/systemd/network/10-hps.network", content }, ...(enable ? [link] : [])];
}

/** The NIC is found by its MAC address (interfaces(5), "pattern matching"), and called `hps` in this file alone. */
function ifupdown({ mac, mode, addresses, gateway, nameServers, domain }: TargetNetwork): readonly TargetFile[] {
  const lines = [`auto mac/${mac}=hps`];
  if (mode === "dhcp") lines.push("iface hps inet dhcp");
  let [left, names] = [gateway, nameServers];
  for (const address of addresses) {
    lines.push(`iface hps ${isV6(address.address) ? "inet6" : "inet"} static`);
    lines.push(`    address ${formatInterfaceAddress(address)}`);
    if (left !== undefined && isV6(left) === isV6(address.address)) {
      lines.push(`    gateway ${left}`);
      left = undefined;
    }
    if (names.length > 0) lines.push(`    dns-nameservers ${names.join(" ")}`);
    if (names.length > 0 && domain !== "") lines.push(`    dns-search ${domain}`);
    names = [];
  }
  return [{ path: "etc/network/interfaces.d/hps", content: `${lines.join("\n")}\n` }];
}

function networkManager(network: TargetNetwork): readonly TargetFile[] {
  const content = [
    ...["[connection]", "id=hps", "type=ethernet", ""],
    ...["[ethernet]", `mac-address=${network.mac.toUpperCase()}`, ""],
    ...["[ipv4]", ...keyfileAddresses(network, false), ""],
    ...["[ipv6]", ...keyfileAddresses(network, true), ""],
  ].join("\n");
  return [{ path: "etc/NetworkManager/system-connections/hps.nmconnection", content, mode: 0o600 }];
}

function keyfileAddresses(network: TargetNetwork, v6: boolean): readonly string[] {
  const { mode, gateway, nameServers, domain } = network;
  if (mode === "dhcp") return v6 ? ["method=auto"] : ["method=auto", "dhcp-client-id=mac"];
  const addresses = network.addresses.filter(({ address }) => isV6(address) === v6);
  if (addresses.length === 0) return [v6 ? "method=auto" : "method=disabled"];
  const servers = nameServers.filter((server) => isV6(server) === v6);
  return [
    "method=manual",
    ...addresses.map((address, at) => `address${at + 1}=${formatInterfaceAddress(address)}`),
    ...(gateway !== undefined && isV6(gateway) === v6 ? [`gateway=${gateway}`] : []),
    ...(servers.length > 0 ? [`dns=${servers.join(";")};`] : []),
    ...(domain === "" ? [] : [`dns-search=${domain};`]),
  ];
}

const STUB = "../run/systemd/resolve/stub-resolv.conf";

/** Only where the image would not fill it by itself. */
function resolvConf(image: ImageNetwork, network: TargetNetwork): readonly TargetFile[] {
  const path = "etc/resolv.conf";
  if (image.resolver === "resolved") {
    return image.resolvLink?.includes("systemd/resolve/") === true ? [] : [{ path, link: STUB }];
  }
  const leasedByManager = image.resolver === "manager" && network.mode === "dhcp";
  if (leasedByManager || image.manager === "NetworkManager" || network.nameServers.length === 0) return [];
  const search = network.domain === "" ? [] : [`search ${network.domain}`];
  const lines = [...search, ...network.nameServers.slice(0, 3).map((server) => `nameserver ${server}`)];
  return [{ path, content: `${lines.join("\n")}\n` }];
}
