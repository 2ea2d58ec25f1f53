/** Waits for the promise, at most until the signal: then rejects with the signal's reason. */
export async function unlessAborted<T>(wait: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([wait, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
