import { expect, test } from "vitest";
import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { parseInterfaceName } from "../../../proto/values/interface-name.ts";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../../proto/values/ipv4-network.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { pathsIn } from "./dnsmasq-files.ts";
import type { DnsmasqPlan, PlannedHost } from "./dnsmasq-plan.ts";
import { renderDnsmasq } from "./render-dnsmasq.ts";

const web: PlannedHost = {
  name: parseHostName("web01"),
  domain: parseDomainName("a.test"),
  macs: [parseMac("52:54:00:00:00:01"), parseMac("52:54:00:00:00:02")],
  address: parseIpv4("10.77.0.11"),
};
const plan: DnsmasqPlan = {
  interface: parseInterfaceName("br0"),
  serverAddress: parseIpv4("10.77.0.1"),
  network: parseIpv4Network("10.77.0.0/24"),
  dhcp: {
    mode: "server",
    range: { from: parseIpv4("10.77.0.100"), to: parseIpv4("10.77.0.199"), leaseSeconds: 300 },
    hostLeaseSeconds: 43_200,
    unknown: "lease",
    ntpServers: [parseIpv4("10.77.0.1")],
  },
  dns: { upstream: [parseIpv4("192.0.2.53")], serverNames: [parseDomainName("hps.a.test")] },
  ipxeUrl: "http://10.77.0.1:7080/boot",
  hosts: [web],
};
const paths = pathsIn("/state dir");
const render = (more: Partial<DnsmasqPlan>) => renderDnsmasq({ ...plan, ...more }, paths);
const other = (more: Partial<PlannedHost>) => ({
  hosts: [web, { ...web, name: parseHostName("db"), macs: [parseMac("52:54:00:00:00:09")], ...more }],
});

test("the files of a server", () => {
  expect(render({ tftpRoot: "/srv/tftp" })).toMatchInlineSnapshot(`
    {
      "conf": "# Written by hpsd from its store; changes made here are lost.
    interface=br0
    bind-interfaces
    except-interface=lo
    log-facility=-
    pid-file="/state dir/dnsmasq.pid"
    no-resolv
    no-hosts
    domain-needed
    bogus-priv
    addn-hosts="/state dir/hosts"
    local=/a.test/
    server=192.0.2.53
    dhcp-hostsfile="/state dir/dhcp-hosts"
    dhcp-optsfile="/state dir/dhcp-options"
    dhcp-leasefile="/state dir/leases"
    dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0,300
    dhcp-script="/state dir/lease-event"
    script-on-renewal
    dhcp-authoritative
    dhcp-ignore-clid
    dhcp-ignore-names
    no-ping
    dhcp-lease-max=256
    dhcp-match=set:ipxe,175
    dhcp-userclass=set:ipxe,iPXE
    dhcp-boot=tag:ipxe,http://10.77.0.1:7080/boot,,10.77.0.1
    enable-tftp
    tftp-root=/srv/tftp
    tftp-no-fail
    dhcp-match=set:bios,option:client-arch,0
    dhcp-boot=tag:!ipxe,tag:bios,undionly.kpxe,,10.77.0.1
    dhcp-match=set:efi,option:client-arch,7
    dhcp-match=set:efi,option:client-arch,9
    dhcp-boot=tag:!ipxe,tag:efi,ipxe.efi,,10.77.0.1
    ",
      "dhcpHosts": "52:54:00:00:00:01,52:54:00:00:00:02,10.77.0.11,web01,43200
    ",
      "dhcpOptions": "option:router
    option:dns-server,10.77.0.1
    option:ntp-server,10.77.0.1
    option:domain-name,a.test
    ",
      "hosts": "10.77.0.1 hps.a.test
    10.77.0.11 web01.a.test web01
    ",
    }
  `);
});

test("proxyDHCP gives no addresses and chains firmware by PXE services", () => {
  expect(render({ dhcp: { mode: "proxy" }, tftpRoot: "/srv/tftp" })).toMatchInlineSnapshot(`
    {
      "conf": "# Written by hpsd from its store; changes made here are lost.
    interface=br0
    bind-interfaces
    except-interface=lo
    log-facility=-
    pid-file="/state dir/dnsmasq.pid"
    no-resolv
    no-hosts
    domain-needed
    bogus-priv
    addn-hosts="/state dir/hosts"
    local=/a.test/
    server=192.0.2.53
    dhcp-hostsfile="/state dir/dhcp-hosts"
    dhcp-optsfile="/state dir/dhcp-options"
    dhcp-leasefile="/state dir/leases"
    dhcp-range=10.77.0.0,proxy,255.255.255.0
    dhcp-match=set:ipxe,175
    dhcp-userclass=set:ipxe,iPXE
    dhcp-boot=tag:ipxe,http://10.77.0.1:7080/boot,,10.77.0.1
    enable-tftp
    tftp-root=/srv/tftp
    tftp-no-fail
    pxe-service=tag:!ipxe,x86PC,"HPS",undionly.kpxe
    pxe-service=tag:!ipxe,x86-64_EFI,"HPS",ipxe.efi
    pxe-service=tag:!ipxe,BC_EFI,"HPS",ipxe.efi
    ",
      "dhcpHosts": "",
      "dhcpOptions": "",
      "hosts": "10.77.0.1 hps.a.test
    10.77.0.11 web01.a.test web01
    ",
    }
  `);
});

test("UEFI's HTTP boot is told its URL and its own class, by our own DHCP alone", () => {
  const httpBootUrl = "http://10.77.0.1:7080/boot/v1/files/ipxe.efi";
  expect(render({ httpBootUrl }).conf).toContain(
    `dhcp-match=set:http,option:client-arch,16
dhcp-option-force=tag:!ipxe,tag:http,option:vendor-class,HTTPClient
dhcp-boot=tag:!ipxe,tag:http,${httpBootUrl}
`,
  );
  expect(render({ httpBootUrl, dhcp: { mode: "proxy" } }).conf).not.toContain("HTTPClient");
});

test("without DNS the port is closed; strangers are ignored when the plan says so; a network without a range is static", () => {
  const { dns: _, ...silent } = plan;
  const files = renderDnsmasq({ ...silent, dhcp: { mode: "server", hostLeaseSeconds: 600, unknown: "ignore" } }, paths);
  expect(files.conf).toContain("port=0\n");
  expect(files.conf).toContain("dhcp-ignore=tag:!known\n");
  expect(files.conf).toContain("dhcp-range=10.77.0.0,static,255.255.255.0,600\n");
});

test("two clusters on one wire: full names for both, a shared short name for neither", () => {
  const files = render(other({ domain: parseDomainName("b.test"), name: web.name, address: parseIpv4("10.77.0.12") }));
  expect(files.hosts).toBe("10.77.0.1 hps.a.test\n10.77.0.11 web01.a.test\n10.77.0.12 web01.b.test\n");
  expect(files.dhcpHosts).not.toContain("web01");
  expect(files.conf).toContain("local=/a.test/\nlocal=/b.test/\n");
});

test("plans that dnsmasq would take but not do are refused", () => {
  expect(() => render(other({ address: parseIpv4("10.77.0.150") }))).toThrow(
    "10.77.0.150 of db lies in the dynamic range",
  );
  expect(() => render(other({ address: parseIpv4("10.77.0.11") }))).toThrow("10.77.0.11 is web01's and db's");
  expect(() => render(other({ address: parseIpv4("10.77.0.1") }))).toThrow("10.77.0.1 is the server's and db's");
  for (const address of ["10.78.0.5", "10.77.0.0", "10.77.0.255"].map(parseIpv4)) {
    expect(() => render(other({ address }))).toThrow("no host address in 10.77.0.0/24");
  }
  expect(() => render(other({ address: parseIpv4("10.77.0.12"), macs: web.macs }))).toThrow(
    "52:54:00:00:00:01 is web01's and db's",
  );
  expect(() => render(other({ address: parseIpv4("10.77.0.12"), macs: [] }))).toThrow("0 MACs");
  expect(() => render({ ipxeUrl: "h".repeat(128) })).toThrow("too long for DHCP");
  expect(() => render({ ipxeUrl: "http://x\nuser=root" })).toThrow("cannot be told");
});
