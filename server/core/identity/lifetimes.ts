const DAY = 24 * 60 * 60 * 1000;

/** How long what we sign lives, in ms, within what the profiles of certs/ allow. */
export const LIFETIME = {
  root: 20 * 365 * DAY,
  intermediate: 5 * 365 * DAY,
  server: 90 * DAY,
  operator: 90 * DAY,
  host: 90 * DAY,
  /** Its agent renews while the installation lasts. */
  installer: DAY,
} as const;

/** How long after its end a host's certificate may still be renewed, with the same key: a machine that was switched off. */
export const HOST_GRACE_MS = 30 * DAY;
