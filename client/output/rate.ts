import { roundSize } from "../../proto/values/size.ts";

/** What is counted of something that goes on; total 0 when unknown. */
export interface Progress {
  readonly done: bigint;
  readonly total: bigint;
  /** `bytes`, `files`, … */
  readonly unit: string;
}

/** A faster reader would see numbers dance. */
const SHORTEST_S = 0.2;
/** A count that stands still for so long has stopped; before, only its report has not come. */
const STILL_S = 3;
const SMOOTH_S = 5;

/** How fast a count grows, smoothed over some seconds. Times are milliseconds. */
export class Rate {
  #done: bigint;
  #at: number;
  #perSecond: number | undefined;

  constructor(done: bigint, at: number) {
    this.#done = done;
    this.#at = at;
  }

  add(done: bigint, at: number): void {
    const seconds = (at - this.#at) / 1000;
    if (seconds < (done === this.#done ? STILL_S : SHORTEST_S)) return;
    // A step that began anew counts from there.
    const now = Math.max(0, Number(done - this.#done)) / seconds;
    const weight = Math.min(1, seconds / SMOOTH_S);
    this.#perSecond = this.#perSecond === undefined ? now : this.#perSecond * (1 - weight) + now * weight;
    this.#done = done;
    this.#at = at;
  }

  /** `12 MiB/s`; empty while nothing is known. */
  text(unit: string): string {
    if (this.#perSecond === undefined || this.#perSecond < 0.5) return "";
    return unit === "bytes"
      ? `${roundSize(this.#perSecond)}/s`
      : `${Math.round(this.#perSecond)} ${unit}/s`.replace("  ", " ");
  }

  /** `2 min 10 s left`; empty while nothing is known. */
  left({ done, total }: Progress): string {
    if (this.#perSecond === undefined || this.#perSecond <= 0 || total <= done) return "";
    return `${spanText(Number(total - done) / this.#perSecond)} left`;
  }
}

/** `40 s`, `2 min 10 s`, `3 h 5 min`, `2 d 4 h`: two units are enough for people. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `[#####-----] 50 %` with a bar so long, `50 %` with none; empty when the total is unknown. */
export function barText({ done, total }: Progress, length: number): string {
  if (total <= 0n) return "";
  const share = Math.min(1, Math.max(0, Number(done) / Number(total)));
  const full = Math.round(share * length);
  const bar = length === 0 ? "" : `[${"#".repeat(full)}${"-".repeat(length - full)}] `;
  return `${bar}${Math.floor(share * 100)} %`;
}

/** `512 MiB of 2 GiB`, `1.5 of 2 GiB`, `12 of 30 files`; empty when nothing is counted. */
export function progressText({ done, total, unit }: Progress): string {
  if (done === 0n && total === 0n) return "";
  if (unit === "bytes") return bytesText(done, total);
  return `${done}${total > 0n ? ` of ${total}` : ""}${unit === "" ? "" : ` ${unit}`}`;
}

function bytesText(done: bigint, total: bigint): string {
  const now = roundSize(Number(done));
  if (total <= 0n) return now;
  const whole = roundSize(Number(total));
  const unit = whole.slice(whole.lastIndexOf(" "));
  return `${now.endsWith(unit) ? now.slice(0, -unit.length) : now} of ${whole}`;
}
