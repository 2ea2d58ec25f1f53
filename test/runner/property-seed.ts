/**
 * Before each test file: with HPS_TEST_SEED (an integer) properties draw the same examples each time. A proof of one commit, as .ci/run
 * is, is then the same however often it runs; without it, as while somebody works, each run tries new ones and prints the seed that failed.
 */
import fc from "fast-check";

const seed = process.env.HPS_TEST_SEED;

if (seed !== undefined) {
  if (!/^-?\d{1,9}$/.test(seed))
    throw new Error(`HPS_TEST_SEED is to be an integer of at most nine digits, not ${seed}`);
  fc.configureGlobal({ seed: Number(seed) });
}
