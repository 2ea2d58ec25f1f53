import type { Trust } from "../../../certs/trust.ts";
import { type VerifiedPeer, verifyPeer } from "../../../certs/verify.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";
import type { Clock } from "../audit/audit.ts";
import { type Known, readPrincipal } from "./known-principal.ts";
import type { Principal } from "./principal.ts";

export interface PrincipalsDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  /** Whom to believe now: changes when an intermediate does. */
  readonly trust: () => Trust;
}

export interface ResolveOptions {
  /** For how long after its end a certificate is still taken, in ms; for renewal alone. */
  readonly graceMs?: number;
}

/** A read of the store that a change may overtake. */
interface Load {
  readonly peer: VerifiedPeer;
  overtaken: boolean;
}

const NOBODY: Principal = { kind: "nobody" };

/** Principals kept in memory: more than there are agents and operators. */
const MOST_KEPT = 20_000;

/**
 * Who is calling, asked at every call: the certificate's chain and time, then its state and roles in the store. What the
 * store said is kept until a change of that certificate or operator is durable.
 */
export class Principals {
  readonly #deps: PrincipalsDeps;
  readonly #kept = new Map<string, Principal>();
  readonly #loads = new Set<Load>();
  #onSuccession: (replaced: string) => Promise<void> = async () => undefined;

  constructor(deps: PrincipalsDeps) {
    this.#deps = deps;
  }

  /** What to do when a renewed certificate is first used: the serial of the one it replaces. */
  onSuccession(handler: (replaced: string) => Promise<void>): void {
    this.#onSuccession = handler;
  }

  /**
   * The principal of a chain (DER, leaf first); nobody for an empty one. Throws `unauthenticated`, `details.reason` is one
   * of verifyPeer's or revoked, suspended, unknown, ended; `details.identity` is set once the certificate itself is good.
   */
  async resolve(chain: readonly Buffer[], options: ResolveOptions = {}): Promise<Principal> {
    const [leaf] = chain;
    if (leaf === undefined) return NOBODY;
    const { clock, trust } = this.#deps;
    const peer = verifyPeer(trust(), { leaf, purpose: "client", now: clock(), grace: options.graceMs ?? 0 });
    return this.#kept.get(peer.fingerprint) ?? (await this.#load(peer));
  }

  forgetCertificates(fingerprints: readonly string[]): void {
    const gone = new Set(fingerprints);
    for (const fingerprint of gone) this.#kept.delete(fingerprint);
    for (const load of this.#loads) if (gone.has(load.peer.fingerprint)) load.overtaken = true;
  }

  forgetOperator(name: string): void {
    for (const [fingerprint, principal] of this.#kept) {
      if (principal.kind === "operator" && principal.name === name) this.#kept.delete(fingerprint);
    }
    for (const load of this.#loads) {
      const { identity } = load.peer;
      if (identity.kind === "operator" && identity.name === name) load.overtaken = true;
    }
  }

  /** For what no one else tells: a cluster that is gone, an installation that moved. */
  forgetAll(): void {
    this.#kept.clear();
    for (const load of this.#loads) load.overtaken = true;
  }

  async #load(peer: VerifiedPeer): Promise<Principal> {
    const load: Load = { peer, overtaken: false };
    this.#loads.add(load);
    try {
      const known = await this.#read(load);
      if (known.replaces !== undefined) await this.#onSuccession(known.replaces);
      if (!load.overtaken) this.#keep(peer.fingerprint, known.principal);
      return known.principal;
    } finally {
      this.#loads.delete(load);
    }
  }

  /** Reads again when a change became durable meanwhile: what it undid must not be let in. */
  async #read(load: Load): Promise<Known> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      load.overtaken = false;
      const known = await this.#deps.store.read((db) => readPrincipal(db, load.peer));
      if (!load.overtaken) return known;
    }
    throw new HpsError("unavailable", "your certificate or roles change too fast to be read");
  }

  #keep(fingerprint: string, principal: Principal): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(fingerprint, principal);
  }
}
