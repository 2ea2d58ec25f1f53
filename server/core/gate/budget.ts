export interface BudgetLimits {
  readonly most: number;
  readonly everyMs: number;
  /** Beyond so many the one first counted is forgotten. */
  readonly keys: number;
}

interface Spent {
  readonly since: number;
  count: number;
}

/** How often something may be done for one key in a stretch of time, in bounded memory. */
export class Budget {
  readonly #limits: BudgetLimits;
  /** By when the stretch began, oldest first. */
  readonly #spent = new Map<string, Spent>();

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** Whether it may be done once more at `now` (UTC milliseconds); then it counts as done. */
  spend(key: string, now: number): boolean {
    const { most, everyMs, keys } = this.#limits;
    for (const [oldest, { since }] of this.#spent) {
      const full = this.#spent.size >= keys && !this.#spent.has(key);
      if (since + everyMs > now && !full) break;
      this.#spent.delete(oldest);
    }
    const spent = this.#spent.get(key) ?? { since: now, count: 0 };
    this.#spent.set(key, spent);
    if (spent.count >= most) return false;
    spent.count += 1;
    return true;
  }
}
