import { expect, test } from "vitest";
import { parseHostName } from "../../proto/values/host-name.ts";
import { parseInterfaceAddress } from "../../proto/values/interface-address.ts";
import { parseIpAddress } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { agentUnit } from "./agent-unit.ts";
import { type ImageNetwork, networkFiles, type TargetNetwork } from "./network-files.ts";
import { isOwned } from "./owned-files.ts";
import { systemFiles } from "./system-files.ts";
import type { TargetFile } from "./target-file.ts";

const dhcp: TargetNetwork = {
  ...{ mac: parseMac("52:54:00:12:34:56"), mode: "dhcp", addresses: [], gateway: undefined },
  ...{ nameServers: [], domain: "example.org" },
};
const fixed: TargetNetwork = {
  ...{ mac: parseMac("52:54:00:12:34:56"), mode: "static", domain: "example.org" },
  addresses: ["10.0.0.5/24", "2001:db8::5/64"].map(parseInterfaceAddress),
  gateway: parseIpAddress("10.0.0.1"),
  nameServers: ["10.0.0.2", "2001:db8::2"].map(parseIpAddress),
};
const image = (manager: ImageNetwork["manager"], changes: Partial<ImageNetwork> = {}): ImageNetwork => ({
  ...{ manager, enable: false, resolver: manager === "systemd-networkd" ? "resolved" : "manager" },
  ...{ resolvLink: "../run/systemd/resolve/stub-resolv.conf" },
  ...changes,
});

/** `PATH` and content, or `PATH -> link`. */
const shown = (files: readonly TargetFile[]) =>
  files.map((file) => ("link" in file ? `${file.path} -> ${file.link}` : `${file.path}\n${file.content}`));

test("systemd-networkd: by MAC address, leased or fixed", () => {
  expect(shown(networkFiles(image("systemd-networkd"), dhcp))).toEqual([
    `etc/systemd/network/10-hps.network
[Match]
MACAddress=52:54:00:12:34:56
Type=ether

[Network]
DHCP=yes

[DHCPv4]
ClientIdentifier=mac
UseHostname=no
`,
  ]);
  expect(shown(networkFiles(image("systemd-networkd"), fixed))).toEqual([
    `etc/systemd/network/10-hps.network
[Match]
MACAddress=52:54:00:12:34:56
Type=ether

[Network]
Address=10.0.0.5/24
Address=2001:db8::5/64
Gateway=10.0.0.1
DNS=10.0.0.2
DNS=2001:db8::2
Domains=example.org
`,
  ]);
});

test("systemd-networkd that is not started by the image is, and resolv.conf is filled where nobody does it", () => {
  const files = networkFiles(image("systemd-networkd", { enable: true, resolver: "nobody" }), fixed);
  expect(shown(files).slice(1)).toEqual([
    "etc/systemd/system/multi-user.target.wants/systemd-networkd.service -> /lib/systemd/system/systemd-networkd.service",
    "etc/resolv.conf\nsearch example.org\nnameserver 10.0.0.2\nnameserver 2001:db8::2\n",
  ]);
  const unlinked = networkFiles(image("systemd-networkd", { resolvLink: undefined }), dhcp);
  expect(shown(unlinked)[1]).toBe("etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf");
});

test("ifupdown: a pattern for the MAC address, each address a stanza, the gateway with its own family", () => {
  expect(shown(networkFiles(image("ifupdown"), dhcp))).toEqual([
    "etc/network/interfaces.d/hps\nauto mac/52:54:00:12:34:56=hps\niface hps inet dhcp\n",
  ]);
  expect(shown(networkFiles(image("ifupdown"), fixed))).toEqual([
    `etc/network/interfaces.d/hps
auto mac/52:54:00:12:34:56=hps
iface hps inet static
    address 10.0.0.5/24
    gateway 10.0.0.1
    dns-nameservers 10.0.0.2 2001:db8::2
    dns-search example.org
iface hps inet6 static
    address 2001:db8::5/64
`,
    "etc/resolv.conf\nsearch example.org\nnameserver 10.0.0.2\nnameserver 2001:db8::2\n",
  ]);
});

test("NetworkManager: a keyfile for root alone", () => {
  const [file] = networkFiles(image("NetworkManager"), fixed);
  expect(file).toEqual({
    path: "etc/NetworkManager/system-connections/hps.nmconnection",
    mode: 0o600,
    content: `[connection]
id=hps
type=ethernet

[ethernet]
mac-address=52:54:00:12:34:56

[ipv4]
method=manual
address1=10.0.0.5/24
gateway=10.0.0.1
dns=10.0.0.2;
dns-search=example.org;

[ipv6]
method=manual
address1=2001:db8::5/64
dns=2001:db8::2;
dns-search=example.org;
`,
  });
  const [leased] = networkFiles(image("NetworkManager"), dhcp);
  expect(leased).toMatchObject({ content: expect.stringContaining("[ipv4]\nmethod=auto\ndhcp-client-id=mac\n") });
});

test("who the system is", () => {
  const machineId = "0123456789abcdef0123456789abcdef";
  const names = { hostName: parseHostName("web01"), machineId };
  expect(shown(systemFiles({ ...names, domain: "example.org", address: "10.0.0.5" }))).toEqual([
    "etc/hostname\nweb01\n",
    `etc/hosts
127.0.0.1 localhost
10.0.0.5 web01.example.org web01
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`,
    `etc/machine-id\n${machineId}\n`,
  ]);
  expect(shown(systemFiles({ ...names, domain: "", address: undefined }))[1]).toContain("\n127.0.1.1 web01\n");
});

test("every file that is planned is one that the installer owns", () => {
  const managers = ["systemd-networkd", "ifupdown", "NetworkManager"] as const;
  const planned = managers.flatMap((manager) =>
    [dhcp, fixed].flatMap((network) =>
      (["resolved", "manager", "nobody"] as const).flatMap((resolver) =>
        networkFiles(image(manager, { enable: true, resolver, resolvLink: undefined }), network),
      ),
    ),
  );
  for (const { path } of [...planned, ...agentUnit()]) expect([path, isOwned(path)]).toEqual([path, true]);
  for (const path of ["etc/ssh/ssh_host_rsa_key", "lost+found"]) expect([path, isOwned(path)]).toEqual([path, true]);
  const others = ["etc/passwd", "etc/hostnamex", "etc/ssh/ssh_host_x/y", "etc/resolvxconf", "losttfound"];
  for (const path of others) expect([path, isOwned(path)]).toEqual([path, false]);
});

test("the unit runs the agent by its own libraries, and is wanted at every start", () => {
  const [unit, wants] = shown(agentUnit());
  expect(unit).toContain(
    "ExecStart=/var/lib/hps/agent/lib/ld-linux-x86-64.so.2 --library-path /var/lib/hps/agent/lib " +
      "/var/lib/hps/agent/node /var/lib/hps/agent/hps-agent.js --mode host --state /var/lib/hps/identity\n",
  );
  expect(unit).toContain("\nRequiresMountsFor=/var/lib/hps\n");
  expect(wants).toBe(
    "etc/systemd/system/multi-user.target.wants/hps-agent.service -> /etc/systemd/system/hps-agent.service",
  );
});
