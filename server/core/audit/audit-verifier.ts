import { type ChainLink, type ChainPart, selectAuditChain } from "../../store/audit-chain.ts";
import { auditDigest } from "../../store/audit-digest.ts";
import type { HpsStore } from "../../store/database.ts";

const PAGE = 1_000;
/** More than tell where to look help nobody. */
const MAX_BREAKS = 20;

/** What the audit log's chain of digests is like. */
export interface AuditVerdict {
  readonly events: number;
  /** 0 and 0 when there is none. */
  readonly first: number;
  readonly last: number;
  /** Digest of the newest event; empty when there is none. */
  readonly head: string;
  /** Events that do not continue the one before as their digest says, oldest first. */
  readonly breaks: readonly AuditBreak[];
  /** Where the digest asked for is; 0: nowhere. */
  readonly found: number;
}

interface AuditBreak {
  readonly sequence: number;
  /** UTC milliseconds, as the event says. */
  readonly at: number;
}

/** Computes the digest of every event anew. One at a time: it reads the whole log. */
export class AuditVerifier {
  readonly #store: HpsStore;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: HpsStore) {
    this.#store = store;
  }

  /** `wanted`: a digest that was the newest once; empty for none. Throws the signal's reason when it aborts. */
  async verify(wanted: string, signal: AbortSignal): Promise<AuditVerdict> {
    const verdict = this.#last.then(async () => await this.#verify(wanted, signal));
    this.#last = verdict.catch(() => undefined);
    return await verdict;
  }

  async #verify(wanted: string, signal: AbortSignal): Promise<AuditVerdict> {
    const walk = new ChainWalk(wanted);
    let part: ChainPart;
    do {
      signal.throwIfAborted();
      part = await this.#store.read((db) => selectAuditChain(db, walk.position, PAGE));
      walk.take(part);
    } while (part.events.length === PAGE);
    return walk.verdict;
  }
}

/** Follows the chain part by part. */
class ChainWalk {
  readonly #wanted: string;
  readonly #breaks: AuditBreak[] = [];
  #before: ChainLink = { sequence: 0, digest: "" };
  #first = 0;
  #events = 0;
  #found = 0;

  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  get position(): number {
    return this.#before.sequence;
  }

  take({ anchor, events }: ChainPart): void {
    // At the beginning, and when retention has overtaken this walk: what it took was in order, or no longer matters.
    if (anchor.sequence > this.#before.sequence) {
      this.#before = anchor;
      if (anchor.digest === this.#wanted) this.#found = anchor.sequence;
    }
    for (const event of events) {
      const { sequence, at, digest } = event;
      const isBroken = auditDigest(this.#before.digest, event) !== digest;
      if (isBroken && this.#breaks.length < MAX_BREAKS) this.#breaks.push({ sequence, at });
      if (digest === this.#wanted) this.#found = sequence;
      this.#first ||= sequence;
      this.#events += 1;
      this.#before = { sequence, digest };
    }
  }

  get verdict(): AuditVerdict {
    const { sequence, digest } = this.#before;
    return {
      ...{ events: this.#events, first: this.#first, last: this.#events === 0 ? 0 : sequence },
      ...{ head: digest, breaks: this.#breaks, found: this.#wanted === "" ? 0 : this.#found },
    };
  }
}
