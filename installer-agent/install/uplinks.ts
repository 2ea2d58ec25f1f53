import { setTimeout as sleep } from "node:timers/promises";
import type { InterfaceName } from "../../proto/values/interface-name.ts";
import type { Ipv4Address } from "../../proto/values/ip-address.ts";
import { Backoff } from "../link/backoff.ts";
import { describeError, type Log } from "../log.ts";
import type { DhcpEvent, Lease } from "../plan/dhcp-event.ts";
import type { NetworkLink } from "../system/links.ts";

/** What this machine can do with its network cards. */
export interface LinkEffects {
  readonly list: () => Promise<readonly NetworkLink[]>;
  readonly setUp: (link: NetworkLink) => Promise<void>;
  /** Undefined while it is down. */
  readonly hasCarrier: (name: InterfaceName) => Promise<boolean | undefined>;
  readonly speed: (name: InterfaceName) => Promise<number | undefined>;
  /** Asks for an address and keeps it until the signal. */
  readonly dhcp: (name: InterfaceName, onEvent: (event: DhcpEvent) => void, signal: AbortSignal) => Promise<void>;
  readonly apply: (lease: Lease, link: NetworkLink) => Promise<void>;
  readonly drop: (link: NetworkLink) => Promise<void>;
  /** The address at which hpsd answers a connection from this lease's; throws while it does not. */
  readonly reach: (lease: Lease) => Promise<Ipv4Address>;
  /** Makes this lease's interface the way to hpsd. */
  readonly prefer: (lease: Lease, server: Ipv4Address) => Promise<void>;
  /** Tells the resolver, the preferred lease first. */
  readonly resolve: (leases: readonly Lease[]) => Promise<void>;
}

interface State {
  readonly link: NetworkLink;
  carrier: boolean;
  lease?: Lease;
  /** Why hpsd cannot be reached from it. */
  problem: string;
  /** One change after the other. */
  queue: Promise<void>;
}

const LOOK_MS = 500;
const REACH = { min: 500, max: 10_000 };

/**
 * All network cards at once: each is set up, asks for an address as soon as its cable is live, and keeps it. The first from which hpsd
 * answers is the way to it; the others keep their addresses. Cards that appear later take part.
 */
export class Uplinks {
  readonly #effects: LinkEffects;
  readonly #log: Log;
  readonly #states = new Map<InterfaceName, State>();
  readonly #reached = Promise.withResolvers<void>();
  #preferred: InterfaceName | undefined;
  /** One writes it at a time: cards get their addresses together. */
  #resolver: Promise<void> = Promise.resolve();

  constructor(effects: LinkEffects, log: Log) {
    this.#effects = effects;
    this.#log = log;
  }

  /** Resolves when hpsd answered over one of them. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  /** Looks after all cards until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const link of await this.#effects.list()) {
        if (!this.#states.has(link.name)) this.#begin(link, signal);
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One line a card: what it is, whether its cable is live, what it was given. Dead ones are named too. */
  async report(): Promise<readonly string[]> {
    const lines = [...this.#states.values()].map(async ({ link, carrier, lease, problem }) => {
      const speed = await this.#effects.speed(link.name);
      const what = `${link.name} ${link.mac}`;
      if (!carrier) return `${what}: no link: is its cable in, and the switch's port on?`;
      const live = `${what}: up${speed === undefined ? "" : ` at ${speed} Mb/s`}`;
      if (lease === undefined) return `${live}, no answer to DHCP yet`;
      const way = link.name === this.#preferred ? ", the way to hpsd" : problem && `, ${problem}`;
      return `${live}, ${leaseText(lease)}${way}`;
    });
    return Promise.all(lines);
  }

  #begin(link: NetworkLink, signal: AbortSignal): void {
    const state: State = { link, carrier: false, problem: "", queue: Promise.resolve() };
    this.#states.set(link.name, state);
    this.#log.info(`network card ${link.name} ${link.mac}`);
    void this.#tend(state, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#log.error(`${link.name} cannot be used: ${describeError(error)}`);
    });
  }

  async #tend(state: State, signal: AbortSignal): Promise<void> {
    const { name } = state.link;
    await this.#effects.setUp(state.link);
    const watching = this.#watchCarrier(state, signal);
    while (!state.carrier && !signal.aborted) await sleep(LOOK_MS, undefined, { signal });
    const onEvent = (event: DhcpEvent) => this.#enqueue(state, () => this.#changed(state, event, signal));
    await Promise.all([watching, this.#effects.dhcp(name, onEvent, signal)]);
  }

  async #watchCarrier(state: State, signal: AbortSignal): Promise<void> {
    const { name } = state.link;
    while (!signal.aborted) {
      const carrier = (await this.#effects.hasCarrier(name)) === true;
      if (carrier !== state.carrier) this.#log.info(`${name}: ${carrier ? "link up" : "no link"}`);
      state.carrier = carrier;
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #enqueue(state: State, change: () => Promise<void>): void {
    state.queue = state.queue.then(change).catch((error: unknown) => {
      this.#log.warn(`${state.link.name}: ${describeError(error)}`);
    });
  }

  async #changed(state: State, event: DhcpEvent, signal: AbortSignal): Promise<void> {
    const { link } = state;
    if (event.kind === "none") {
      if (state.lease !== undefined) this.#log.warn(`${link.name}: its address is no longer given`);
      delete state.lease;
      await this.#effects.drop(link);
      return;
    }
    if (event.lease.interface !== link.name || sameLease(state.lease, event.lease)) return;
    state.lease = event.lease;
    await this.#effects.apply(event.lease, link);
    this.#log.info(`${link.name}: ${leaseText(event.lease)}`);
    await this.#tellResolver();
    void this.#reach(state, event.lease, signal);
  }

  /** Tries until hpsd answers over this lease or another, or the lease is gone. */
  async #reach(state: State, lease: Lease, signal: AbortSignal): Promise<void> {
    const waits = new Backoff(REACH);
    const isOpen = () => !signal.aborted && state.lease === lease;
    while (isOpen() && (this.#preferred === undefined || this.#preferred === state.link.name)) {
      try {
        const server = await this.#effects.reach(lease);
        if (isOpen()) await this.#take(lease, server);
        return;
      } catch (error) {
        const problem = describeError(error);
        if (problem !== state.problem) this.#log.warn(`${state.link.name}: ${problem}`);
        state.problem = problem;
      }
      await sleep(waits.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  async #take(lease: Lease, server: Ipv4Address): Promise<void> {
    if (this.#preferred !== undefined && this.#preferred !== lease.interface) return;
    this.#preferred = lease.interface;
    await this.#effects.prefer(lease, server);
    await this.#tellResolver();
    this.#log.info(`hpsd answers at ${server} over ${lease.interface}`);
    this.#reached.resolve();
  }

  /** A resolver that cannot be told keeps nobody from trying the addresses. */
  #tellResolver(): Promise<void> {
    this.#resolver = this.#resolver
      .then(() => this.#writeResolver())
      .catch((error: unknown) => this.#log.warn(`the name servers cannot be kept: ${describeError(error)}`));
    return this.#resolver;
  }

  async #writeResolver(): Promise<void> {
    const states = [...this.#states.values()].sort(
      (a, b) => Number(b.link.name === this.#preferred) - Number(a.link.name === this.#preferred),
    );
    await this.#effects.resolve(states.flatMap(({ lease }) => (lease === undefined ? [] : [lease])));
  }
}

function sameLease(a: Lease | undefined, b: Lease): boolean {
  return a !== undefined && JSON.stringify({ ...a, seconds: 0 }) === JSON.stringify({ ...b, seconds: 0 });
}

function leaseText({ address, prefix, router, server }: Lease): string {
  const by = server === undefined ? "" : ` from ${server}`;
  return `${address}/${prefix} by DHCP${by}${router === undefined ? ", no router" : `, router ${router}`}`;
}
