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

function yes(): true {
  return true;
}
