const FASTEST = 64;
const SLOWEST = 1 / 16;

/** Where in a recording a viewer is, in its milliseconds: goes on by itself. */
export class Playhead {
  readonly #now: () => number;
  #speed: number;
  #isPaused = false;
  /** Where it was at `#since`. */
  #at: number;
  #since: number;

  constructor({ now, speed, from }: { readonly now: () => number; readonly speed: number; readonly from: number }) {
    this.#now = now;
    this.#speed = speed;
    this.#at = from;
    this.#since = now();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get position(): number {
    return this.#isPaused ? this.#at : this.#at + (this.#now() - this.#since) * this.#speed;
  }

  move(to: number): void {
    this.#at = to;
    this.#since = this.#now();
  }

  pause(isPaused: boolean): void {
    this.move(this.position);
    this.#isPaused = isPaused;
  }

  /** So many times as fast as now, within what can be watched. */
  change(factor: number): void {
    this.move(this.position);
    this.#speed = Math.min(Math.max(this.#speed * factor, SLOWEST), FASTEST);
  }

  /** Milliseconds of the viewer until it is there: 0 when it is, without end while paused. */
  wait(at: number): number {
    const left = at - this.position;
    if (left <= 0) return 0;
    return this.#isPaused ? Number.POSITIVE_INFINITY : left / this.#speed;
  }
}
