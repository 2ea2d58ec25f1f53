import { type Brand, branded } from "./brand.ts";
import { type DomainName, parseDomainName } from "./domain-name.ts";
import { HpsError } from "./hps-error.ts";
import { type IpAddress, parseIpAddress } from "./ip-address.ts";
import { quote } from "./safe-text.ts";

/** Where a server is reached: `hpsd.example.org:7443`, `192.0.2.1:7443`, `[2001:db8::1]:7443`. */
export type Endpoint = Brand<string, "Endpoint">;
/** What a server listens on: an IP address and a port, port 0 for any free one. */
export type ListenEndpoint = Brand<string, "ListenEndpoint">;
/** A TCP or UDP port, 1 to 65535. */
export type Port = Brand<number, "Port">;
/** A name or an address a server is known by. */
export type ServerName = DomainName | IpAddress;

export function parsePort(text: string): Port {
  const port = portNumber(text);
  if (port === 0) throw new HpsError("invalid", "port 0 cannot be reached", { hint: "use 1 to 65535" });
  return branded<"Port", number>(port);
}

/** Reads a domain name or an IP address; anything of digits and dots alone must be an address. */
export function parseServerName(text: string): ServerName {
  return text.includes(":") || /^[0-9.]+$/.test(text) ? parseIpAddress(text) : parseDomainName(text);
}

/** Reads `host:port`; an IPv6 address stands in brackets. There is no default port. */
export function parseEndpoint(text: string): Endpoint {
  const { host, port } = split(text);
  return branded<"Endpoint", string>(joined(parseServerName(host), parsePort(port)));
}

/** Reads `address:port` to listen on. Names are refused: which address one stands for can change between two starts. */
export function parseListenEndpoint(text: string): ListenEndpoint {
  const { host, port } = split(text);
  return branded<"ListenEndpoint", string>(joined(parseIpAddress(host), portNumber(port)));
}

/** The two parts of an endpoint, the host without brackets. */
export function endpointParts(endpoint: Endpoint | ListenEndpoint): { readonly host: string; readonly port: number } {
  const { host, port } = split(endpoint);
  return { host, port: Number(port) };
}

/** An endpoint of parts that are already parsed. */
export function endpointOf(host: ServerName, port: Port): Endpoint {
  return branded<"Endpoint", string>(joined(host, port));
}

function joined(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function split(text: string): { readonly host: string; readonly port: string } {
  const [, inner, plain, port = ""] = /^(?:\[([^\]]*:[^\]]*)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? [];
  const host = inner ?? plain;
  if (host === undefined) {
    throw new HpsError("invalid", `not a host and port: ${quote(text)}`, {
      hint: "write it as hpsd.example.org:7443 or [2001:db8::1]:7443",
    });
  }
  return { host, port };
}

function portNumber(text: string): number {
  if (!/^(0|[1-9]\d{0,4})$/.test(text) || Number(text) > 65_535) {
    throw new HpsError("invalid", `not a port: ${quote(text)}`, { hint: "use a number from 1 to 65535" });
  }
  return Number(text);
}
