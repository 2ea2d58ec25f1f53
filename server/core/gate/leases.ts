import { Wakes } from "../changes/wakes.ts";
import type { Lease } from "./sender.ts";

/** More than any boot network holds; the oldest are forgotten, known hosts' renew. */
const MOST = 65_536;

/** Requests that may wait for DHCP's word at one time; more than machines that are switched on together. */
const MOST_WAITING = 256;

/** What DHCP told us, in memory: dnsmasq keeps its own file, from which this is filled at start. */
export class LeaseTable {
  readonly #byAddress = new Map<string, Lease>();
  /** Beside a foreign DHCP server: when we last answered a machine's PXE exchange. */
  readonly #answered = new Map<string, number>();
  readonly #answerLife: number;
  readonly #heard = new Wakes();
  #waiting = 0;

  /** `answerLife`: for how many milliseconds an answered PXE exchange speaks for its machine. */
  constructor(answerLife: number) {
    this.#answerLife = answerLife;
  }

  /** The newest word on an address counts. */
  seen(lease: Lease): void {
    renew(this.#byAddress, lease.address, lease);
    this.#heard.wake();
  }

  /** We answered this machine's PXE exchange; its address is another server's. */
  answered(mac: string, at: number): void {
    renew(this.#answered, mac, at);
    this.#heard.wake();
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

  /**
   * The same, after waiting a moment for what is not there yet: a machine asks how to boot as soon as it has its address, and
   * DHCP's word of that takes another way.
   */
  async soonAbout(address: string, mac: string, graceMs: number): Promise<Lease | undefined> {
    const late = AbortSignal.timeout(graceMs);
    this.#waiting += 1;
    try {
      for (;;) {
        const seen = this.#heard.count;
        const lease = this.about(address, mac);
        if (lease?.mac === mac || late.aborted || graceMs === 0 || this.#waiting > MOST_WAITING) return lease;
        await this.#heard.next(seen, late);
      }
    } finally {
      this.#waiting -= 1;
    }
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
