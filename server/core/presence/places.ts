/** UTC milliseconds in which more than `MAX_MOVES` changes of place mean two machines. */
const WINDOW_MS = 5 * 60_000;
const MAX_MOVES = 3;
/** Identities remembered; more than can move in the window by accident. */
const MAX_REMEMBERED = 10_000;

interface Moves {
  times: readonly number[];
  alerted: boolean;
}

/** Notices an identity that two machines use: each closes the other's stream, again and again. */
export class Places {
  readonly #moves = new Map<string, Moves>();

  /** An attach of another machine or run closed a live stream. True once per series: now is the time to raise it. */
  moved(identity: string, now: number): boolean {
    const known = this.#moves.get(identity);
    const times = [...(known?.times ?? []).filter((time) => time > now - WINDOW_MS), now].slice(-MAX_MOVES - 1);
    const many = times.length > MAX_MOVES;
    const alert = many && known?.alerted !== true;
    this.#moves.delete(identity);
    this.#moves.set(identity, { times, alerted: many });
    this.#forgetOldest();
    return alert;
  }

  #forgetOldest(): void {
    const [oldest] = this.#moves.keys();
    if (oldest !== undefined && this.#moves.size > MAX_REMEMBERED) this.#moves.delete(oldest);
  }
}
