import { callAt } from "../../proto/flow/time-limit.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { expiryOf } from "../core/identity/live-calls.ts";
import type { Caller } from "../core/identity/principal.ts";

export interface HeldOpenLimits {
  /** Of one holder at one time. */
  readonly each: number;
  readonly inAll: number;
  /** Who counts as one. */
  readonly holderOf: (caller: Caller) => string;
  /** The refusal of one too many. */
  readonly tooMany: HpsError;
}

/** An agent reads its image and its tools, and begins again while the old stream dies; each holds a file and what its socket takes. */
export const DOWNLOADS: HeldOpenLimits = {
  each: 8,
  inAll: 2_048,
  holderOf: ({ principal, address }) => (principal.kind === "nobody" ? address : principal.certificate.fingerprint),
  tooMany: new HpsError("exhausted", "too many files are read at one time", { hint: "wait for one to end" }),
};

interface Held {
  readonly caller: Caller;
  readonly stop: (reason: HpsError) => void;
}

/** What stays open after its request was let in (a download, a terminal): each ends with the right to it. */
export class HeldOpen {
  readonly #limits: HeldOpenLimits;
  readonly #open = new Set<Held>();

  constructor(limits: HeldOpenLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Ends those of callers that lost their right; for `LiveCalls.connect`. */
  end(which: (caller: Caller) => boolean, reason: HpsError): void {
    for (const held of [...this.#open]) if (which(held.caller)) held.stop(reason);
  }

  /** Gives what to call at its end. `exhausted` for one too many. */
  begin(caller: Caller, stop: (reason: HpsError) => void): () => void {
    const { each, inAll, holderOf, tooMany } = this.#limits;
    const own = [...this.#open].filter((other) => holderOf(other.caller) === holderOf(caller)).length;
    if (own >= each || this.#open.size >= inAll) throw tooMany;
    const held = { caller, stop };
    this.#open.add(held);
    const expiry = expiryOf(caller);
    const late = new HpsError("unauthenticated", "the certificate has expired");
    const cancel = expiry && callAt(expiry, () => stop(late));
    return () => {
      this.#open.delete(held);
      cancel?.();
    };
  }
}
