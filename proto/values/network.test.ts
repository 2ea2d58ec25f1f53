import fc from "fast-check";
import { expect, test } from "vitest";
import { endpointParts, parseEndpoint, parseListenEndpoint, parsePort, parseServerName } from "./endpoint.ts";
import { httpsUrlParts, parseHttpsUrl } from "./https-url.ts";
import { ipv4FromNumber, ipv4ToNumber, parseIpAddress, parseIpv4, parseIpv6 } from "./ip-address.ts";
import * as net from "./ipv4-network.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });

test("an IPv4 address and its number are the same", () => {
  fc.assert(
    fc.property(word, (value) => {
      const address = ipv4FromNumber(value);
      expect(ipv4ToNumber(parseIpv4(address))).toBe(value);
      expect(parseIpAddress(`::ffff:${address}`)).toBe(address);
    }),
  );
  for (const text of ["127.1", "1.2.3.04", "0x7f.0.0.1", "1.2.3.256", "1.2.3.4 ", "::1"])
    expect(() => parseIpv4(text), text).toThrow();
});

test("every spelling of one IPv6 address is the same text as the URL standard gives", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      fc.pre(!(groups.slice(0, 5).every((part) => part === 0) && groups[5] === 0xffff));
      const full = groups.map((part) => part.toString(16).toUpperCase().padStart(4, "0")).join(":");
      const canonical = new URL(`http://[${full}]/`).hostname.slice(1, -1);
      const [high = 0, low = 0] = groups.slice(6);
      const dotted = `${full.slice(0, 30)}${ipv4FromNumber(high * 65_536 + low)}`;
      for (const spelling of [full, canonical, dotted]) expect(parseIpv6(spelling)).toBe(canonical);
      expect(parseIpAddress(full)).toBe(canonical);
    }),
    { numRuns: 500 },
  );
  expect(parseIpv6("2001:DB8:0:0:1:0:0:1")).toBe("2001:db8::1:0:0:1");
  expect(parseIpv6("::ffff:c000:201")).toBe("::ffff:192.0.2.1");
  expect(parseIpv6("0:0:0:0:0:0:0:0")).toBe("::");
  for (const text of ["fe80::1%eth0", "1::2::3", "::12345", "1:2:3:4:5:6:7", "[::1]"])
    expect(() => parseIpv6(text), text).toThrow();
});

test("a network holds exactly the addresses between its first and last", () => {
  fc.assert(
    fc.property(word, fc.integer({ min: 0, max: 32 }), word, (value, length, other) => {
      const size = 2 ** (32 - length);
      const base = value - (value % size);
      const network = net.parseIpv4Network(`${ipv4FromNumber(base)}/${length}`);
      const range = net.networkRange(network);
      expect(range).toEqual({ from: ipv4FromNumber(base), to: ipv4FromNumber(base + size - 1) });
      expect(net.rangeSize(range)).toBe(size);
      expect(net.networkContains(network, ipv4FromNumber(value))).toBe(true);
      expect(net.networkContains(network, ipv4FromNumber(other))).toBe(other >= base && other < base + size);
      if (base !== value)
        expect(() => net.parseIpv4Network(`${ipv4FromNumber(value)}/${length}`)).toThrow(/not a network/);
    }),
  );
  const lab = net.parseIpv4Network("192.0.2.0/24");
  expect(net.netmask(lab)).toBe("255.255.255.0");
  expect(net.netmask(net.parseIpv4Network("0.0.0.0/0"))).toBe("0.0.0.0");
  expect(net.hostRange(lab)).toEqual({ from: "192.0.2.1", to: "192.0.2.254" });
  expect(net.hostRange(net.parseIpv4Network("192.0.2.2/31"))).toEqual({ from: "192.0.2.2", to: "192.0.2.3" });
  for (const text of ["192.0.2.0", "192.0.2.0/33", "192.0.2.0/024", "192.0.2/24", "192.0.2.0/24\n"]) {
    expect(() => net.parseIpv4Network(text), text).toThrow();
  }
});

test("an endpoint has one spelling and comes apart again", () => {
  const host = fc.oneof(
    word.map(ipv4FromNumber),
    fc.constantFrom("hpsd", "hpsd.example.org", "localhost", "2001:db8::1", "::"),
  );
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
      const text = name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
      expect(parseEndpoint(text)).toBe(text);
      expect(endpointParts(parseEndpoint(text))).toEqual({ host: name, port });
      expect(parseHttpsUrl(`https://${text}/`)).toBe(`https://${text}`);
      expect(httpsUrlParts(parseHttpsUrl(`https://${text}`))).toEqual({ host: name, port });
    }),
  );
  expect(parseEndpoint("HPSD.Example.org:7443")).toBe("hpsd.example.org:7443");
  expect(parseHttpsUrl("HTTPS://hpsd")).toBe("https://hpsd:443");
  expect(parseListenEndpoint("[::]:0")).toBe("[::]:0");
  const bad = [
    "hpsd",
    "hpsd:",
    ":1",
    "hpsd:0",
    "hpsd:65536",
    "hpsd:07",
    "::1:7443",
    "[hpsd]:1",
    "127.1:80",
    "a b:1",
    "[::1]:1\n",
  ];
  for (const text of bad) expect(() => parseEndpoint(text), text).toThrow();
  for (const text of ["localhost:1", "hpsd:1"]) expect(() => parseListenEndpoint(text), text).toThrow();
  for (const text of ["http://a", "https://a/b", "https://u:p@a", "https://a?b", "https://", "https://a:0"]) {
    expect(() => parseHttpsUrl(text), text).toThrow();
  }
  for (const text of ["", "0", "65536", "+1", "1e3", "80 "]) expect(() => parsePort(text), text).toThrow();
  expect([parseServerName("A.b."), parseServerName("::FFFF:1.2.3.4")]).toEqual(["a.b", "1.2.3.4"]);
});
