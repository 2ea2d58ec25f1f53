import { randomBytes } from "node:crypto";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore } from "../../store/database.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import { expiryOf, type LiveCalls } from "../identity/live-calls.ts";
import type { Caller } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import { tokenHash } from "../identity/token-hash.ts";

export interface SessionLinksDeps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly refusals: RecordsRefusals;
  readonly clock: Clock;
  readonly live: LiveCalls;
}

/** What its issuer wants a link to be good for. */
export interface LinkWish {
  readonly hostId: string;
  readonly clusterId: string;
  /** Opens a session; else it only watches one. */
  readonly write: boolean;
  /** Which to watch; empty: the newest that is open when the link is used. */
  readonly session: string;
  readonly reason: string;
  readonly validityMs: number;
}

export interface SessionLink extends LinkWish {
  readonly id: string;
  readonly issuer: Caller;
  /** UTC milliseconds. */
  readonly expiresAt: number;
}

interface Kept extends SessionLink {
  used: boolean;
}

const SHORTEST_MS = 10_000;
export const LONGEST_LINK_MS = 10 * 60_000;
const MOST_EACH = 32;
const MOST = 4096;

/**
 * Links by which somebody without a certificate takes part in one session of one host, in the name of who made the link:
 * once, soon, and only as long as its maker might do it. They live in memory: a restart voids them.
 */
export class SessionLinks {
  readonly #deps: SessionLinksDeps;
  /** By the hash of the secret. */
  readonly #links = new Map<string, Kept>();

  constructor(deps: SessionLinksDeps) {
    this.#deps = deps;
    deps.live.connect((which) => this.#drop(({ issuer }) => which(issuer)));
  }

  /** The secret is shown once. `invalid` for a validity out of bounds, `exhausted` for one link too many. */
  async create(issuer: Caller, wish: LinkWish): Promise<{ readonly link: SessionLink; readonly secret: string }> {
    const { store, audit } = this.#deps;
    const link = this.#newLink(issuer, wish);
    const secret = randomBytes(32).toString("base64url");
    // Before it is durable, so that a revocation meanwhile finds it.
    this.#links.set(tokenHash(secret), link);
    try {
      const { hostId, clusterId, reason, write, session } = wish;
      const details = {
        link: link.id,
        write: write ? "yes" : "no",
        session,
        until: new Date(link.expiresAt).toISOString(),
      };
      const subject = { target: `host:${hostId}`, clusterId, reason, details };
      await store.write((tx) => audit.allowed(tx, actorOfCaller(issuer), subject));
    } catch (error) {
      this.#links.delete(tokenHash(secret));
      throw error;
    }
    return { link, secret };
  }

  /** The link of this secret, unused. `unauthenticated`, with an audit event, for one that is unknown, used, or over. */
  async find(secret: string, address: string): Promise<SessionLink> {
    const link = this.#links.get(tokenHash(secret));
    const reason = this.#objectionTo(link);
    if (link !== undefined && reason === undefined) return link;
    const who = { actor: `address:${address}`, action: "web.link", address };
    const subject = link && { target: `host:${link.hostId}`, clusterId: link.clusterId };
    const details = { link: link?.id ?? "" };
    const incident = await this.#deps.refusals.refused(who, { ...subject, details, reason: reason ?? "" });
    throw new HpsError("unauthenticated", "this link opens nothing: it was used, has expired, or was taken back", {
      hint: "ask for another: hpsctl session link HOST",
      details: { incident },
    });
  }

  /** Uses it up: false when somebody did meanwhile, or its maker lost the right to it. */
  use({ id }: SessionLink): boolean {
    const link = [...this.#links.values()].find((each) => each.id === id);
    if (link === undefined || this.#objectionTo(link) !== undefined) return false;
    link.used = true;
    return true;
  }

  #newLink(issuer: Caller, wish: LinkWish): Kept {
    const now = this.#deps.clock();
    if (!(wish.validityMs >= SHORTEST_MS && wish.validityMs <= LONGEST_LINK_MS)) {
      throw new HpsError("invalid", "a link is good for 10 seconds to 10 minutes");
    }
    this.#drop(({ expiresAt }) => expiresAt <= now);
    const own = [...this.#links.values()].filter((link) => nameOf(link.issuer) === nameOf(issuer)).length;
    if (own >= MOST_EACH || this.#links.size >= MOST) {
      throw new HpsError("exhausted", `there are ${own} links of yours already`, { hint: "wait until they expire" });
    }
    const expiry = expiryOf(issuer)?.getTime() ?? now;
    const expiresAt = Math.min(now + wish.validityMs, expiry);
    return { ...wish, id: newUuid(), issuer, expiresAt, used: false };
  }

  #objectionTo(link: Kept | undefined): string | undefined {
    if (link === undefined) return "unknown link";
    if (link.used) return "this link was used";
    return link.expiresAt <= this.#deps.clock() ? "this link has expired" : undefined;
  }

  #drop(which: (link: Kept) => boolean): void {
    for (const [key, link] of this.#links) if (which(link)) this.#links.delete(key);
  }
}

function nameOf({ principal }: Caller): string {
  return principal.kind === "operator" ? principal.name : "";
}
