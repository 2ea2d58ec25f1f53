import { HpsError } from "../values/hps-error.ts";

/** How long an admitted peer may take to say what its stream is about. */
const FIRST_MS = 10_000;
/** For the next of many messages that carry one file. */
const STALL_MS = 60_000;

/** The first message of a stream. `deadline` when it is late, `invalid` when the stream ends before. */
export async function firstMessage<T>(messages: AsyncIterator<T>, limitMs = FIRST_MS): Promise<T> {
  const first = await nextWithin(messages, limitMs, "the first message of the stream did not arrive in time");
  if (first.done === true) throw new HpsError("invalid", "the stream ended before its first message");
  return first.value;
}

/** A message after the first, or that there is none. `deadline` for a sender that stalls. */
export async function nextMessage<T>(messages: AsyncIterator<T>, limitMs = STALL_MS): Promise<IteratorResult<T>> {
  return await nextWithin(messages, limitMs, `nothing came for ${limitMs / 1000} s: the sender stalls`);
}

/** What the messages after the first carry. `deadline` for a sender that stalls, `invalid` for one that carries nothing. */
export async function* dataOf<T extends { readonly message: { readonly case?: string | undefined; value?: unknown } }>(
  messages: AsyncIterator<T>,
  limitMs = STALL_MS,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const next = await nextMessage(messages, limitMs);
    if (next.done === true) return;
    const { case: kind, value } = next.value.message;
    if (kind !== "data" || !(value instanceof Uint8Array) || value.length === 0) {
      throw new HpsError("invalid", "a message after the first carries no data");
    }
    yield value;
  }
}

async function nextWithin<T>(messages: AsyncIterator<T>, limitMs: number, late: string): Promise<IteratorResult<T>> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new HpsError("deadline", late)), limitMs);
  try {
    return await Promise.race([messages.next(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
