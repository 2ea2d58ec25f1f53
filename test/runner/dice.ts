/** Falls the same for the same seed: a test that fails tells its own. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 to below `sides`; mulberry32. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  }

  of<T>(all: readonly [T, ...T[]] | readonly T[]): T {
    const found = all[this.roll(all.length)];
    if (found === undefined) throw new Error("nothing to choose from");
    return found;
  }

  /** So many of them, none twice; all when there are no more. */
  some<T>(all: readonly T[], count: number): ReadonlySet<T> {
    const left = [...all];
    return new Set(
      Array.from({ length: Math.min(count, all.length) }, () => left.splice(this.roll(left.length), 1)).flat(),
    );
  }
}
