import { mkdir } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type FileLock, lockFile, lockOneOf } from "../file-lock.ts";

const FOLDER = "/run/lock/hps-lab";
const PATIENCE_MS = 30 * 60_000;

/** Places for guests of this machine, all held by one owner. */
export interface Slots extends AsyncDisposable {
  /** Takes one of them for a guest; give it back by disposing of it. */
  take(): AsyncDisposable;
}

/** How many guests run at once on this machine, of all test runs together: `HPS_LAB_GUESTS`, 3 unless told. */
function capacity(): number {
  const said = Number(process.env.HPS_LAB_GUESTS ?? 3);
  if (!Number.isInteger(said) || said < 1) {
    throw new HpsError("invalid", `HPS_LAB_GUESTS is ${process.env.HPS_LAB_GUESTS}, not a number of guests`);
  }
  return said;
}

/**
 * Waits until so many guests may run. All are taken in one go, and one owner after the other, so that two tests that want three each
 * never wait for each other with two in their hands. A test with several machines reserves for all of them before the first.
 */
export async function reserveGuests(count: number): Promise<Slots> {
  const all = Array.from({ length: capacity() }, (_, at) => `${FOLDER}/guest-${at}`);
  if (count > all.length) {
    throw new HpsError("precondition", `${count} guests at once, and this machine may run ${all.length}`, {
      hint: "set HPS_LAB_GUESTS if it has the memory",
    });
  }
  await mkdir(FOLDER, { recursive: true });
  const held: FileLock[] = [];
  const release = async () => void (await Promise.all(held.splice(0).map((lock) => lock[Symbol.asyncDispose]())));
  await using _turn = await lockFile(`${FOLDER}/turn`, PATIENCE_MS);
  while (held.length < count) {
    const lock = await lockOneOf(
      all.filter((file) => !held.some((have) => have.file === file)),
      PATIENCE_MS,
    );
    if (lock === undefined) {
      await release();
      throw new HpsError("deadline", `no place for a guest became free in ${PATIENCE_MS / 60_000} min`, {
        hint: `fuser -v ${FOLDER}/* names who runs guests`,
      });
    }
    held.push(lock);
  }
  return countOut(count, release);
}

function countOut(count: number, release: () => Promise<void>): Slots {
  let taken = 0;
  return {
    take() {
      if (taken === count) throw new HpsError("precondition", `${count} guests were reserved, and all run`);
      taken += 1;
      let given = false;
      return {
        async [Symbol.asyncDispose]() {
          if (!given) taken -= 1;
          given = true;
        },
      };
    },
    [Symbol.asyncDispose]: release,
  };
}
