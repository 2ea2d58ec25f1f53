import type { Lease } from "./sender.ts";

/** More than any boot network holds; the oldest are forgotten, known hosts' renew. */
const MOST = 65_536;

/** What DHCP told us, in memory: dnsmasq keeps its own file, from which this is filled at start. */
export class LeaseTable {
  readonly #byAddress = new Map<string, Lease>();
  /** Beside a foreign DHCP server: when we last answered a machine's PXE exchange. */
  readonly #answered = new Map<string, number>();
  readonly #answerLife: number;

  /** `answerLife`: for how many milliseconds an answered PXE exchange speaks for its machine. */
  constructor(answerLife: number) {
    this.#answerLife = answerLife;
  }

  /** The newest word on an address counts. */
  seen(lease: Lease): void {
    renew(this.#byAddress, lease.address, lease);
  }

  /** We answered this machine's PXE exchange; its address is another server's. */
  answered(mac: string, at: number): void {
    renew(this.#answered, mac, at);
  }

  /** The address is nobody's any more. */
  released(address: string): void {
    this.#byAddress.delete(address);
  }

  byAddress(address: string): Lease | undefined {
    return this.#byAddress.get(address);
  }

  /** What speaks for a sender at `address` that says it is `mac`. */
  about(address: string, mac: string): Lease | undefined {
    const seenAt = this.#answered.get(mac);
    if (seenAt === undefined || this.#byAddress.has(address)) return this.#byAddress.get(address);
    return { mac, address, seenAt, expiresAt: seenAt + this.#answerLife };
  }
}

function renew<V>(table: Map<string, V>, key: string, value: V): void {
  table.delete(key);
  table.set(key, value);
  for (const [oldest] of table) {
    if (table.size <= MOST) return;
    table.delete(oldest);
  }
}
