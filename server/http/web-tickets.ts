import { randomBytes } from "node:crypto";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Caller } from "../core/identity/principal.ts";
import { tokenHash } from "../core/identity/token-hash.ts";

/** What a ticket is good for: one caller, one host, one way to take part. */
export interface WebGrant {
  readonly caller: Caller;
  readonly hostId: string;
  /** Id of the link that it came by. */
  readonly link?: string;
  readonly wish:
    | { readonly kind: "open"; readonly reason: string }
    | { readonly kind: "attach"; readonly session: string; readonly write: boolean };
}

/** What must be the same when the ticket is used as when it was given. */
export interface TicketBond {
  /** Fingerprint of the certificate on the connection; empty for one without. */
  readonly peer: string;
  readonly origin: string;
}

interface Held {
  readonly grant: WebGrant;
  readonly bond: TicketBond;
  readonly expiresAt: number;
}

export const TICKET_MS = 30_000;
/** Of one certificate, or of all without one. */
const MOST_EACH = 32;
const MOST = 4096;

/** The tickets that were given and not used: each opens one WebSocket, once, soon, from the page that asked. */
export class WebTickets {
  readonly #clock: () => number;
  readonly #held = new Map<string, Held>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** `exhausted` for one too many. */
  give(grant: WebGrant, bond: TicketBond): string {
    this.#drop(({ expiresAt }) => expiresAt <= this.#clock());
    const own = [...this.#held.values()].filter((held) => held.bond.peer === bond.peer).length;
    if (own >= MOST_EACH || this.#held.size >= MOST) {
      throw new HpsError("exhausted", "too many tickets wait to be used", { hint: "wait half a minute" });
    }
    const ticket = randomBytes(32).toString("base64url");
    this.#held.set(tokenHash(ticket), { grant, bond, expiresAt: this.#clock() + TICKET_MS });
    return ticket;
  }

  /** Uses it up, whatever comes of it. `denied` for one that is unknown, used, expired or of another page. */
  take(ticket: string, bond: TicketBond): WebGrant {
    const key = tokenHash(ticket);
    const held = this.#held.get(key);
    this.#held.delete(key);
    if (held === undefined) throw refusal("it is unknown or was used");
    if (held.expiresAt <= this.#clock()) throw refusal("it has expired");
    if (held.bond.origin !== bond.origin) throw refusal("it was given to a page of another origin");
    if (held.bond.peer !== bond.peer) throw refusal("it was given to another certificate");
    return held.grant;
  }

  /** Voids those of callers that lost their right. */
  end(which: (caller: Caller) => boolean): void {
    this.#drop(({ grant }) => which(grant.caller));
  }

  #drop(which: (held: Held) => boolean): void {
    for (const [key, held] of this.#held) if (which(held)) this.#held.delete(key);
  }
}

function refusal(reason: string): HpsError {
  return new HpsError("denied", `this ticket opens nothing: ${reason}`, { hint: "load the page again" });
}
