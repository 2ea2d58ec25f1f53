import { netmask, networkRange, rangeSize } from "../../../proto/values/ipv4-network.ts";
import { checkPlan, type DnsmasqPlan, type PlannedHost, type ServerMode } from "./dnsmasq-plan.ts";
import { dnsmasqText } from "./dnsmasq-text.ts";

/** Where the files lie; dnsmasq needs whole paths. */
export interface DnsmasqPaths {
  readonly conf: string;
  readonly dhcpHosts: string;
  readonly dhcpOptions: string;
  readonly hosts: string;
  readonly leases: string;
  readonly pid: string;
  readonly script: string;
}

/** The text of each file. A change of `conf` needs a restart, of the others a SIGHUP. */
export interface DnsmasqFiles {
  readonly conf: string;
  readonly dhcpHosts: string;
  readonly dhcpOptions: string;
  readonly hosts: string;
}

/**
 * Renders the plan, checked first. Names and addresses are parsed values that no syntax here can misread; all else goes through
 * `dnsmasqText`. The same plan always gives the same text.
 */
export function renderDnsmasq(plan: DnsmasqPlan, paths: DnsmasqPaths): DnsmasqFiles {
  checkPlan(plan);
  const domains = [...new Set(plan.hosts.map((host) => host.domain))].sort();
  const server = plan.dhcp.mode === "server" ? plan.dhcp : undefined;
  const short = shortNames(plan.hosts);
  return {
    conf: text([...base(plan, paths), ...dns(plan, domains, paths), ...dhcp(plan, paths), ...boot(plan)]),
    dhcpHosts: text(server === undefined ? [] : plan.hosts.map((host) => dhcpHost(host, server, short(host)))),
    dhcpOptions: text(server === undefined ? [] : dhcpOptions(plan, domains, server)),
    hosts: text(names(plan, short)),
  };
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

function base(plan: DnsmasqPlan, paths: DnsmasqPaths): readonly string[] {
  return [
    "# Written by hpsd from its store; changes made here are lost.",
    `interface=${plan.interface}`,
    "bind-interfaces",
    "except-interface=lo",
    "log-facility=-",
    `pid-file=${dnsmasqText(paths.pid)}`,
    ...(plan.user === undefined ? [] : [`user=${dnsmasqText(plan.user)}`]),
  ];
}

function dns(plan: DnsmasqPlan, domains: readonly string[], paths: DnsmasqPaths): readonly string[] {
  if (plan.dns === undefined) return ["port=0"];
  return [
    "no-resolv",
    "no-hosts",
    "domain-needed",
    "bogus-priv",
    `addn-hosts=${dnsmasqText(paths.hosts)}`,
    ...domains.map((domain) => `local=/${domain}/`),
    ...plan.dns.upstream.map((upstream) => `server=${upstream}`),
  ];
}

function dhcp(plan: DnsmasqPlan, paths: DnsmasqPaths): readonly string[] {
  const [network, mask] = [networkRange(plan.network), netmask(plan.network)];
  const shared = [
    `dhcp-hostsfile=${dnsmasqText(paths.dhcpHosts)}`,
    `dhcp-optsfile=${dnsmasqText(paths.dhcpOptions)}`,
    `dhcp-leasefile=${dnsmasqText(paths.leases)}`,
  ];
  if (plan.dhcp.mode === "proxy") return [...shared, `dhcp-range=${network.from},proxy,${mask}`];
  const { range, hostLeaseSeconds, unknown } = plan.dhcp;
  const pool = range && `${range.from},${range.to},${mask},${range.leaseSeconds}`;
  return [
    ...shared,
    `dhcp-range=${pool ?? `${network.from},static,${mask},${hostLeaseSeconds}`}`,
    ...(unknown === "ignore" ? ["dhcp-ignore=tag:!known"] : []),
    `dhcp-script=${dnsmasqText(paths.script)}`,
    "script-on-renewal",
    "dhcp-authoritative",
    // The MAC alone identifies a client: with another's client id a stranger would be given that one's address.
    "dhcp-ignore-clid",
    // A client does not name itself: it could take a host's or the server's name in DNS.
    "dhcp-ignore-names",
    // Probing an address before offering it takes 3 s in which nobody else is served: unknown MACs could starve known hosts.
    "no-ping",
    // Room for every address there is: the range bounds the strangers, and reservations lie outside of it.
    `dhcp-lease-max=${rangeSize(network)}`,
  ];
}

/** Client architectures (option 93; RFC 4578 and IANA's list after it) and what each boots by TFTP. */
const FIRMWARE = [
  { name: "bios", architectures: [0], service: "x86PC", file: "undionly.kpxe" },
  { name: "efi", architectures: [7, 9], service: "x86-64_EFI", file: "ipxe.efi" },
] as const;

function boot(plan: DnsmasqPlan): readonly string[] {
  const url = dnsmasqText(plan.ipxeUrl);
  // With a server's address, which a URL does not need: without one iPXE does not take a proxy's offer for complete, and asks further in vain.
  const script = `dhcp-boot=tag:ipxe,${url},,${plan.serverAddress}`;
  const ipxe = ["dhcp-match=set:ipxe,175", "dhcp-userclass=set:ipxe,iPXE", script];
  const http = plan.httpBootUrl === undefined || plan.dhcp.mode === "proxy" ? [] : httpBoot(plan.httpBootUrl);
  if (plan.tftpRoot === undefined) return [...ipxe, ...http];
  const tftp = ["enable-tftp", `tftp-root=${dnsmasqText(plan.tftpRoot)}`, "tftp-no-fail"];
  if (plan.dhcp.mode === "proxy") return [...ipxe, ...tftp, ...FIRMWARE.flatMap(proxyServices)];
  const server = plan.serverAddress;
  const matches = FIRMWARE.flatMap(({ name, architectures, file }) => [
    ...architectures.map((number) => `dhcp-match=set:${name},option:client-arch,${number}`),
    `dhcp-boot=tag:!ipxe,tag:${name},${file},,${server}`,
  ]);
  return [...ipxe, ...http, ...tftp, ...matches];
}

/** UEFI's HTTP boot takes an offer as meant for it when that names its own vendor class again (UEFI 2.10, 24.7.3). */
function httpBoot(url: string): readonly string[] {
  return [
    "dhcp-match=set:http,option:client-arch,16",
    "dhcp-option-force=tag:!ipxe,tag:http,option:vendor-class,HTTPClient",
    `dhcp-boot=tag:!ipxe,tag:http,${dnsmasqText(url)}`,
  ];
}

function proxyServices({ service, architectures, file }: (typeof FIRMWARE)[number]): readonly string[] {
  // Some UEFI firmware says 9 (EBC) and means x86-64.
  const types = architectures.map((number) => (number === 9 ? "BC_EFI" : service));
  return types.map((type) => `pxe-service=tag:!ipxe,${type},"HPS",${file}`);
}

/**
 * The short name only: a domain dnsmasq would ignore, with a line in the log for each lease. No `set:` tags here: after a client has used a
 * host with one, dnsmasq up to 2.90 crashes when it reads the file again (https://github.com/imp/dnsmasq/pull/20).
 */
function dhcpHost(host: PlannedHost, mode: ServerMode, name: readonly string[]): string {
  const fixed = host.address === undefined ? [] : [host.address];
  return [...host.macs, ...fixed, ...name, String(mode.hostLeaseSeconds)].map(dnsmasqText).join(",");
}

function dhcpOptions(plan: DnsmasqPlan, domains: readonly string[], mode: ServerMode): readonly string[] {
  const list = (name: string, values: readonly string[]) => [`option:${name}`, ...values].join(",");
  const own = plan.dns === undefined ? [] : [plan.serverAddress];
  const dnsServers = mode.dnsServers ?? own;
  return [
    list("router", mode.router === undefined ? [] : [mode.router]), // an empty one keeps dnsmasq from naming itself
    list("dns-server", dnsServers),
    ...(mode.ntpServers === undefined ? [] : [list("ntp-server", mode.ntpServers)]),
    // It could differ by host only with tags; where there are several, a host learns its own from hpsd.
    ...(domains.length === 1 ? domains.map((domain) => `option:domain-name,${domain}`) : []),
  ];
}

/** A host's short name, in a list of one; of none when two clusters share it: then it is nobody's. */
function shortNames(hosts: readonly PlannedHost[]): (host: PlannedHost) => readonly string[] {
  const bearers = Map.groupBy(hosts, (host) => host.name);
  return ({ name }) => (bearers.get(name)?.length === 1 ? [name] : []);
}

/** Full names first: they are what the reverse lookup gives. */
function names(plan: DnsmasqPlan, short: (host: PlannedHost) => readonly string[]): readonly string[] {
  const hosts = plan.hosts.flatMap((host) => {
    const full = `${host.name}.${host.domain}`;
    return host.address === undefined ? [] : [[host.address, full, ...short(host)].join(" ")];
  });
  const own = plan.dns?.serverNames ?? [];
  return own.length === 0 ? hosts : [[plan.serverAddress, ...own].join(" "), ...hosts];
}
