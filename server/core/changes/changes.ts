import { HpsError } from "../../../proto/values/hps-error.ts";
import { type Change, changeBounds, insertChange, type NewChange, selectChanges } from "../../store/changes.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import type { Clock } from "../audit/audit.ts";

const PAGE = 500;

/** The ordered feed that every watch reads: one row a change, written in the change's own transaction. */
export class Changes {
  readonly #store: HpsStore;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** Counts wakes, so that a change between a read and the wait after it is not slept through. */
  #wakes = 0;

  constructor(store: HpsStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Call in the transaction of the change; watchers wake once it is durable. */
  async note(tx: Tx, change: NewChange): Promise<void> {
    await insertChange(tx, this.#clock(), change);
    tx.afterCommit(() => this.#wake());
  }

  /** Where the feed ends now: `follow` from here misses nothing that is not yet visible. */
  async last(): Promise<number> {
    return (await this.#store.read(changeBounds)).last;
  }

  /** Changes after a sequence, in order, then those that come, until `signal`. `out-of-range` when some are no longer kept. */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<Change, void, void> {
    let position = await this.#checked(after);
    while (!signal.aborted) {
      const wakes = this.#wakes;
      const page = await this.#store.read((db) => selectChanges(db, position, PAGE));
      for (const change of page) {
        position = change.sequence;
        yield change;
      }
      if (page.length === 0 && wakes === this.#wakes) await this.#nextWake(signal);
    }
  }

  async #checked(after: number): Promise<number> {
    const { first, last } = await this.#store.read(changeBounds);
    if (after > last || after < first - 1) {
      throw new HpsError("out-of-range", `changes after ${after} are not kept: there are ${first} to ${last}`, {
        hint: "watch again from 0",
      });
    }
    return after;
  }

  #nextWake(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  #wake(): void {
    this.#wakes += 1;
    for (const wake of [...this.#waiting]) wake();
  }
}
