import { HpsError } from "../../../proto/values/hps-error.ts";
import {
  type Change,
  changeBounds,
  insertChange,
  type NewChange,
  pruneChanges,
  selectChanges,
} from "../../store/changes.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import type { Clock } from "../audit/audit.ts";
import { Wakes } from "./wakes.ts";

const PAGE = 500;
const PRUNE_BATCH = 1_000;

/** The ordered feed that every watch reads: one row a change, written in the change's own transaction. */
export class Changes {
  readonly #store: HpsStore;
  readonly #clock: Clock;
  readonly #wakes = new Wakes();
  readonly #listeners = new Set<(change: NewChange) => void>();

  constructor(store: HpsStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Call in the transaction of the change; watchers wake once it is durable. */
  async note(tx: Tx, change: NewChange): Promise<void> {
    await insertChange(tx, this.#clock(), change);
    tx.afterCommit(() => {
      this.#wakes.wake();
      for (const listener of this.#listeners) listener(change);
    });
  }

  /** Calls `listener` after each change that is durable, until what it answers with is called. Quick, does not throw. */
  listen(listener: (change: NewChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Where the feed ends now: `follow` from here misses nothing that is not yet visible. */
  async last(): Promise<number> {
    return (await this.#store.read(changeBounds)).last;
  }

  /** Changes after a sequence, in order, then those that come, until `signal`. `out-of-range` when some are no longer kept. */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<Change, void, void> {
    for await (const page of this.followPages(after, signal)) yield* page;
  }

  /** The same, several at a time, for who reads the objects of many changes at once. No page is empty. */
  async *followPages(after: number, signal: AbortSignal): AsyncGenerator<readonly Change[], void, void> {
    let position = after;
    while (!signal.aborted) {
      const seen = this.#wakes.count;
      const page = await this.#page(position);
      const last = page.at(-1);
      if (last === undefined) {
        await this.#wakes.next(seen, signal);
      } else {
        position = last.sequence;
        yield page;
      }
    }
  }

  /** Forgets all but the newest `keep`, a little at a time. Answers how many went. */
  async prune(keep: number, signal?: AbortSignal): Promise<number> {
    let sum = 0;
    let pruned = PRUNE_BATCH;
    while (pruned === PRUNE_BATCH && signal?.aborted !== true) {
      pruned = await this.#store.write((tx) => pruneChanges(tx, { keep, batch: PRUNE_BATCH }));
      sum += pruned;
    }
    return sum;
  }

  /** Checked each time: a watcher that reads too slowly must hear of the gap it fell into. */
  async #page(after: number): Promise<readonly Change[]> {
    const { bounds, page } = await this.#store.read(async (db) => ({
      bounds: await changeBounds(db),
      page: await selectChanges(db, after, PAGE),
    }));
    const { first, last } = bounds;
    if (after > last || after < first - 1) {
      throw new HpsError("out-of-range", `changes after ${after} are not kept: there are ${first} to ${last}`, {
        hint: "watch again from 0",
      });
    }
    return page;
  }
}
