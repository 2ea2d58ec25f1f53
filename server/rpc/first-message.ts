import { HpsError } from "../../proto/values/hps-error.ts";

/** How long an admitted peer may take to say what its stream is about. */
const FIRST_MS = 10_000;

/** The first message of a stream. `deadline` when it is late, `invalid` when the stream ends before. */
export async function firstMessage<T>(messages: AsyncIterator<T>, limitMs = FIRST_MS): Promise<T> {
  const late = Promise.withResolvers<never>();
  const error = new HpsError("deadline", "the first message of the stream did not arrive in time");
  const timer = setTimeout(() => late.reject(error), limitMs);
  try {
    const first = await Promise.race([messages.next(), late.promise]);
    if (first.done === true) throw new HpsError("invalid", "the stream ended before its first message");
    return first.value;
  } finally {
    clearTimeout(timer);
  }
}
