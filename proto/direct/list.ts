/** What hpsd and agents agree on about lists of who may enter a host directly, beside the message itself. */

/** What a list is signed as. */
export const DIRECT_LIST_CONTEXT = "hps.v1.DirectAccessList";

/** From its issue to its end. */
export const LONGEST_DIRECT_LIST_MS = 12 * 60 * 60 * 1000;

/** Where agents let operators in themselves. */
export const DIRECT_PORT = 6979;
