import { type InterfaceName, parseInterfaceName } from "../../proto/values/interface-name.ts";
import { type Ipv4Address, parseIpv4 } from "../../proto/values/ip-address.ts";

/** What a DHCP server gave to one interface. */
export interface Lease {
  readonly interface: InterfaceName;
  readonly address: Ipv4Address;
  readonly prefix: number;
  readonly router?: Ipv4Address;
  readonly nameServers: readonly Ipv4Address[];
  /** Who gave it. */
  readonly server?: Ipv4Address;
  readonly seconds?: number;
}

export type DhcpEvent =
  | { readonly kind: "lease"; readonly lease: Lease }
  /** There is none, or no longer. */
  | { readonly kind: "none"; readonly interface: InterfaceName };

/** Marks the beginning of an event in what udhcpc prints; between two zero bytes, which no value can hold. */
const MARK = /^HPS-DHCP ([a-z]+)$/;
const LONGEST = 65_536;
const MOST_NAME_SERVERS = 3;

/** Finds the events in what udhcpc and its script print, in any pieces. What is not one, or not a usable lease, is passed over. */
export class DhcpEvents {
  #rest = "";
  #open: { readonly kind: string; readonly environment: string[] } | undefined;

  push(piece: Buffer): readonly DhcpEvent[] {
    // One byte a character: values of the network need not be UTF-8.
    const strings = `${this.#rest}${piece.toString("latin1")}`.split("\0");
    this.#rest = (strings.pop() ?? "").slice(0, LONGEST);
    return strings.flatMap((text) => this.#take(text));
  }

  #take(text: string): readonly DhcpEvent[] {
    const kind = MARK.exec(text)?.[1];
    if (kind !== undefined) this.#open = { kind, environment: [] };
    else if (text !== "") this.#open?.environment.push(text);
    else if (this.#open !== undefined) {
      const event = readDhcpEvent(this.#open.kind, this.#open.environment);
      this.#open = undefined;
      return event === undefined ? [] : [event];
    }
    return [];
  }
}

/** What udhcpc tells its script, by word and environment (`NAME=VALUE`). Undefined for what changes nothing, and for a lease that cannot be used. */
function readDhcpEvent(kind: string, environment: readonly string[]): DhcpEvent | undefined {
  const value = (name: string) => environment.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  try {
    const name = parseInterfaceName(value("interface"));
    if (kind === "deconfig") return { kind: "none", interface: name };
    return kind === "bound" || kind === "renew" ? { kind: "lease", lease: readLease(name, value) } : undefined;
  } catch {
    return undefined;
  }
}

function readLease(name: InterfaceName, value: (name: string) => string): Lease {
  const [router] = addressesOf(value("router"));
  const [server] = addressesOf(value("serverid"));
  const prefix = Number(value("mask"));
  const seconds = Number(value("lease"));
  return {
    interface: name,
    address: parseIpv4(value("ip")),
    prefix: Number.isInteger(prefix) && prefix > 0 && prefix <= 32 ? prefix : 24,
    ...(router !== undefined && { router }),
    nameServers: addressesOf(value("dns")).slice(0, MOST_NAME_SERVERS),
    ...(server !== undefined && { server }),
    ...(Number.isInteger(seconds) && seconds > 0 && { seconds }),
  };
}

/** Those words that are addresses. */
function addressesOf(text: string): readonly Ipv4Address[] {
  return text.split(/\s+/).flatMap((word) => {
    try {
      return [parseIpv4(word)];
    } catch {
      return [];
    }
  });
}
