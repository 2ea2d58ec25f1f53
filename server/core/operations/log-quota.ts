import type { Tx } from "../../store/database.ts";
import { costOf, deleteLogLines, logCost, selectLogSizes } from "../../store/log-lines.ts";
import { LOG_SLACK, MAX_LOG_COST } from "./limits.ts";

const PAGE = 4096;

/** Keeps the log of each operation below its bound: the oldest lines make room for the newest. */
export class LogQuota {
  /** Counted once from the store, then kept along; an operation that is idle may be forgotten. */
  readonly #costs = new Map<string, number>();
  readonly #maxCost: number;
  readonly #slack: number;

  constructor(limits: { readonly maxCost?: number; readonly slack?: number } = {}) {
    this.#maxCost = limits.maxCost ?? MAX_LOG_COST;
    this.#slack = limits.slack ?? LOG_SLACK;
  }

  /** Call in the transaction that adds lines of `cost`, before they are there. */
  async makeRoom(tx: Tx, id: string, cost: number): Promise<void> {
    const before = this.#costs.get(id) ?? (await logCost(tx, id));
    const surplus = before + cost - this.#maxCost;
    const freed = surplus > 0 ? await dropOldest(tx, id, surplus + this.#slack) : 0;
    tx.afterCommit(() => this.#costs.set(id, (this.#costs.get(id) ?? before) + cost - freed));
  }

  forget(id: string): void {
    this.#costs.delete(id);
  }
}

/** Frees at least `wanted`, if there is so much; what was freed. */
async function dropOldest(tx: Tx, id: string, wanted: number): Promise<number> {
  let freed = 0;
  while (freed < wanted) {
    const page = await selectLogSizes(tx, id, { after: 0, limit: PAGE });
    let last = 0;
    for (const { sequence, bytes } of page) {
      if (freed >= wanted) break;
      freed += costOf(bytes);
      last = sequence;
    }
    if (last === 0) break;
    await deleteLogLines(tx, id, last);
  }
  return freed;
}
