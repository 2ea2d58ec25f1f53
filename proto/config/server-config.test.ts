import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAbsolutePath } from "../values/absolute-path.ts";
import { parseServerName } from "../values/endpoint.ts";
import { HpsError } from "../values/hps-error.ts";
import { ANY_CHARACTER } from "../values/testing/any-character.ts";
import { defaultServerConfig } from "./default-server-config.ts";
import { publicAddresses, readServerConfig, type ServerConfigSource } from "./server-config.ts";

const MINIMAL = "server: {names: [hpsd.example.org, 192.0.2.1]}\n";
const BOOT = `${MINIMAL}boot:
  interface: eth1
  address: 192.0.2.1
  mode: dhcp
  network: 192.0.2.0/24
  range: {from: 192.0.2.100, to: 192.0.2.199}
`;
const read = (text: string, more: Partial<ServerConfigSource> = {}) =>
  readServerConfig({ text, file: "hpsd.yaml", ...more });

test("the least that can be said gives every default", () => {
  const config = read(MINIMAL);
  expect(config).toMatchObject({
    state: "/var/lib/hpsd",
    server: { names: ["hpsd.example.org", "192.0.2.1"] },
    listen: { grpc: "0.0.0.0:7443", https: "0.0.0.0:7444" },
    claims: { ttl: 600_000 },
    certificates: { installer: 86_400_000, host: 90 * 86_400_000 },
    shell: { recording: "strict" },
    metrics: { enabled: true, allow: ["127.0.0.0/8"] },
  });
  expect(config.boot).toBeUndefined();
  expect(() => read("")).toThrow(/hpsd.yaml:1:1: `server` is missing|`server` is missing/);
  expect(() => read("server: {names: []}")).toThrow(/`server.names` must have at least 1/);
});

test("the file init writes says the truth about the defaults", () => {
  const given = {
    state: parseAbsolutePath('/srv/a "b" #é'),
    names: [parseServerName("hpsd.example.org"), parseServerName("::1")],
  };
  const text = defaultServerConfig(given);
  const config = read(text);
  expect(config).toMatchObject({ state: given.state, server: { names: given.names } });
  expect(read(text.replace(/^#(?=[^ ])/gm, "").replace(/^#(?= {2}[a-zA-Z]+: )/gm, ""))).toEqual(config);
  const uncommented = text
    .replace(/^# (?=(boot|public):$| {2}[a-zA-Z]+: )/gm, "")
    .replace(/^#(?=[^ ]| {2}[a-zA-Z]+: )/gm, "");
  expect(read(uncommented)).toMatchObject({
    boot: { interface: "eth1", leaseTime: 3_600_000 },
    public: { grpc: "hpsd.example.org:7443" },
  });
});

test("the boot door's addresses must go together", () => {
  expect(read(BOOT).boot).toMatchObject({ mode: "dhcp", port: 7080, window: 600_000, nameServers: [] });
  expect(
    read(`${MINIMAL}boot: {interface: eth1, address: 192.0.2.1, mode: proxy, network: 192.0.2.0/24}`).boot?.range,
  ).toBeUndefined();
  const table: readonly (readonly [string, string, RegExp])[] = [
    ["address: 192.0.2.1", "address: 192.0.3.1", /hpsd.yaml:4:3: `boot.address`: 192.0.3.1 is not a host's address/],
    ["address: 192.0.2.1", "address: 192.0.2.255", /not a host's address/],
    ["address: 192.0.2.1", "address: 192.0.2.150", /hpsd.yaml:7:3: `boot.range`: holds hpsd's own address/],
    ["to: 192.0.2.199", "to: 192.0.2.99", /runs backwards/],
    ["to: 192.0.2.199", "to: 192.0.4.1", /`boot.range.to`: 192.0.4.1 is not/],
    ["mode: dhcp", "mode: proxy", /in proxy mode another server/],
    ["mode: dhcp", "mode: off", /must be one of dhcp, proxy/],
    ["network: 192.0.2.0/24", "network: 192.0.2.1/24", /not a network/],
    ["interface: eth1", "interface: 'eth1,lo'", /not an interface/],
    ["  range: {from: 192.0.2.100, to: 192.0.2.199}\n", "", /hpsd.yaml:2:1: `boot.range`: mode dhcp needs/],
  ];
  for (const [from, to, reason] of table) expect(() => read(BOOT.replace(from, to)), to).toThrow(reason);
});

test("variables and flags stand over the file", () => {
  const environment = {
    HPSD_LISTEN_GRPC: "127.0.0.1:0",
    HPSD_SERVER_NAMES: "a.example,b.example",
    HPSD_CONFIG: "/x",
    PATH: "/bin",
  };
  const config = read(MINIMAL, { environment, sets: ["limits.connectionsPerAddress=9", "metrics.allow="] });
  expect(config).toMatchObject({ listen: { grpc: "127.0.0.1:0" }, server: { names: ["a.example", "b.example"] } });
  expect(config.limits.connectionsPerAddress).toBe(9);
  expect(config.metrics.allow).toEqual([]);
  expect(() => read(MINIMAL, { environment: { HPSD_LISTEN_GRPC: "x" } })).toThrow(
    /^HPSD_LISTEN_GRPC: `listen.grpc`: not a host and port: "x"$/,
  );
  expect(() => read(MINIMAL, { environment: { HPSD_LISTEN_GPRC: "x" } })).toThrow(/did you mean HPSD_LISTEN_GRPC/);
  expect(() => read(MINIMAL, { sets: ["claims.ttl=2d"] })).toThrow(
    /^--set claims.ttl: `claims.ttl`: 2d is not from 1m to 1d$/,
  );
  expect(() => read("lisen: {}\n")).toThrow("hpsd.yaml:1:1: unknown key `lisen`, did you mean `listen`?");
});

test("agents are told the public addresses, else the first name and the ports bound", () => {
  const config = read(MINIMAL);
  expect(publicAddresses(config)).toEqual({ grpc: "hpsd.example.org:7443", https: "https://hpsd.example.org:7444" });
  expect(publicAddresses(config, { grpc: 1, https: 2 })).toEqual({
    grpc: "hpsd.example.org:1",
    https: "https://hpsd.example.org:2",
  });
  const other = read(`${MINIMAL}public: {grpc: "[2001:DB8::1]:9", https: https://proxy}`);
  expect(publicAddresses(other)).toEqual({ grpc: "[2001:db8::1]:9", https: "https://proxy:443" });
});

test("garbage in any setting is an HpsError that names it", () => {
  const paths = [
    "state",
    "server.names",
    "listen.grpc",
    "public.https",
    "boot.network",
    "limits.logSize",
    "claims.ttl",
    "log.level",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.string({ unit: ANY_CHARACTER }), (path, text) => {
      try {
        read(MINIMAL, { sets: [`${path}=${text}`] });
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
        expect(String(error)).toContain(path.startsWith("boot") ? "boot" : `--set ${path}`);
      }
    }),
  );
});
