/** The longest wait a Node timer takes; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Waits `ms` at most. True when the promise settled in time; its failure is the caller's to see elsewhere. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([promise.then(yes, yes), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls back at that time by the wall clock, however far off; at once when it has passed. Gives what cancels it. */
export function callAt(time: Date, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = () => {
    const left = time.getTime() - Date.now();
    timer = setTimeout(left > LONGEST_MS ? arm : callback, Math.min(Math.max(left, 0), LONGEST_MS));
    timer.unref();
  };
  arm();
  return () => clearTimeout(timer);
}

function yes(): true {
  return true;
}
