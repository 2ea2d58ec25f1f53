/** A certificate's life, in UTC milliseconds. */
export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A timer longer than 24.8 days fires at once in Node, and a machine's clock may be set meanwhile: look again daily. */
const LONGEST_WAIT = 24 * 60 * 60 * 1000;

/**
 * When to renew: at two thirds of the life (day 60 of 90), up to a twentieth of it earlier, so that hosts installed
 * together do not renew together. `random` is in [0, 1); draw it once per certificate.
 */
export function renewalTime(life: Lifetime, random: number): number {
  const length = life.notAfter - life.notBefore;
  return Math.floor(life.notBefore + (length * 2) / 3 - (length / 20) * random);
}

/** Milliseconds to wait before asking again, at most a day; 0 means renew now. */
export function renewalWait(life: Lifetime, now: number, random: number): number {
  return Math.min(Math.max(renewalTime(life, random) - now, 0), LONGEST_WAIT);
}
