import { HpsError } from "../../../proto/values/hps-error.ts";
import { type AuditQuery, type AuditRecord, auditBounds, pruneAudit, selectAudit } from "../../store/audit.ts";
import type { HpsStore } from "../../store/database.ts";
import type { Wakes } from "../changes/wakes.ts";
import type { VisibleClusters } from "../identity/access.ts";
import { pageOf } from "../page.ts";

const PAGE = 500;
const PRUNE_BATCH = 1_000;

/** Only what comes. */
export const FROM_NOW = -1;

export interface AuditPage {
  readonly events: readonly AuditRecord[];
  /** What the next page begins below; absent on the last. */
  readonly next?: number;
}

/** Reads the audit log: lists, follows, forgets. */
export class AuditLog {
  readonly #store: HpsStore;
  readonly #written: Wakes;

  /** `written` is woken by every commit of an event: the `written` of `Audit`. */
  constructor(store: HpsStore, written: Wakes) {
    this.#store = store;
    this.#written = written;
  }

  /** Newest first. */
  async list(query: AuditQuery): Promise<AuditPage> {
    const found = await this.#store.read((db) => selectAudit(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit);
    return { events: items, ...(last && { next: last.sequence }) };
  }

  /**
   * Events after a sequence, in order, then those that come, until `signal`. 0: all that are kept; FROM_NOW: none.
   * `out-of-range` for another sequence that is not kept.
   */
  async *watch(clusters: VisibleClusters, after: number, signal: AbortSignal): AsyncGenerator<AuditRecord, void, void> {
    let position = await this.#start(after);
    while (!signal.aborted) {
      const seen = this.#written.count;
      const { page, last } = await this.#store.read(async (db) => ({
        last: (await auditBounds(db)).last,
        page: await selectAudit(db, { clusters, after: position, limit: PAGE }),
      }));
      yield* page;
      // Past what others may see and we may not, so that it is not read again at every wake.
      position = page.length === PAGE ? (page.at(-1)?.sequence ?? last) : last;
      if (page.length < PAGE) await this.#written.next(seen, signal);
    }
  }

  /** Forgets what is older than `before` (UTC milliseconds), and all but about the newest `keep`, a little at a time. */
  async prune(before: number, keep: number, signal?: AbortSignal): Promise<number> {
    let sum = 0;
    let pruned = PRUNE_BATCH;
    while (pruned >= PRUNE_BATCH && signal?.aborted !== true) {
      pruned = await this.#store.write((tx) => pruneAudit(tx, { before, keep, batch: PRUNE_BATCH }));
      sum += pruned;
    }
    return sum;
  }

  async #start(after: number): Promise<number> {
    const { first, last } = await this.#store.read(auditBounds);
    if (after === FROM_NOW) return last;
    if (after < 0) throw new HpsError("invalid", `no audit event has sequence ${after}`, { hint: "use -1, 0 or more" });
    if (after > last || (after > 0 && after < first - 1)) {
      throw new HpsError("out-of-range", `audit events after ${after} are not kept: there are ${first} to ${last}`, {
        hint: "watch from 0 for all that are kept",
      });
    }
    return after;
  }
}
