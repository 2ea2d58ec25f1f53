export interface BackoffLimits {
  /** Milliseconds. */
  readonly min: number;
  readonly max: number;
}

/** Waits between attempts: up to a ceiling that doubles from `min` to `max`, drawn at random, so that agents cut off together do not return together. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #ceiling: number;

  constructor(limits: BackoffLimits, random: () => number = Math.random) {
    this.#limits = limits;
    this.#random = random;
    this.#ceiling = limits.min;
  }

  /** Milliseconds to wait now; never more than `max`, never less than a tenth of `min`. */
  next(): number {
    const ceiling = this.#ceiling;
    this.#ceiling = Math.min(ceiling * 2, this.#limits.max);
    return Math.max(ceiling * this.#random(), this.#limits.min / 10);
  }

  /** For what will not mend soon: between half of `max` and `max`, and long waits from then on. */
  longest(): number {
    this.#ceiling = this.#limits.max;
    return (this.#limits.max * (1 + this.#random())) / 2;
  }

  /** After a success that lasted. */
  reset(): void {
    this.#ceiling = this.#limits.min;
  }
}
