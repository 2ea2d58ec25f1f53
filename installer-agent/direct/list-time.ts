/** How long a list is good, by clocks that may be wrong. Pure; what it can and cannot promise is in docs/shell-direct.md. */

/** What this machine's clocks say. */
export interface Clocks {
  /** UTC milliseconds: anybody with root may set it. */
  readonly wall: number;
  /** Milliseconds since the kernel started, sleep included: nobody sets it. */
  readonly uptime: number;
  /** Another in each start of the kernel. */
  readonly boot: string;
}

/** When a list came, and the latest that the clock has shown since. */
export interface Arrival extends Clocks {
  readonly latest: number;
}

export interface ListLife {
  /** By hpsd's clock, UTC milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** A clock that differs more from hpsd's is mended before a list is taken. */
const MOST_SKEW_MS = 10 * 60_000;
/** A clock that is set right goes back a little without meaning it. */
const BACKWARD_MS = 60_000;

/** Why a list that just came cannot be taken; undefined when it can. */
export function arrivalProblem({ issuedAt }: ListLife, { wall }: Clocks): string | undefined {
  const skew = Math.abs(wall - issuedAt);
  if (skew <= MOST_SKEW_MS) return undefined;
  return `this machine's clock and hpsd's differ by ${Math.round(skew / 1000)} s, so nobody could say when the list ends`;
}

/**
 * Milliseconds a list is still good for, or why it is no more. Never more than its life since it came, by the clock that nobody
 * sets; after a restart of the machine by the other, which must not have gone back.
 */
export function listLeft({ issuedAt, expiresAt }: ListLife, arrival: Arrival, now: Clocks): number | string {
  if (now.wall < Math.max(arrival.wall, arrival.latest) - BACKWARD_MS) {
    return `the clock went back to ${text(now.wall)}, so nobody knows how old the list is`;
  }
  const life = expiresAt - issuedAt;
  const byWall = Math.min(expiresAt - now.wall, life - (now.wall - arrival.wall));
  const left = now.boot === arrival.boot ? Math.min(byWall, life - (now.uptime - arrival.uptime)) : byWall;
  return left > 0 ? left : `the list that hpsd signed ended at ${text(expiresAt)}`;
}

function text(time: number): string {
  return new Date(time).toISOString();
}
