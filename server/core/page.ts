/** Well below what one message may hold (1 MiB), for what comes around the items. */
const MAX_BYTES = 768 * 1024;

export interface Page<T> {
  readonly items: readonly T[];
  /** The last item when others follow it: what the next page begins after. */
  readonly last?: T;
}

/**
 * One page of what was found, which is one more than `limit` when there are so many. Shorter than asked when the items
 * are so large that no message would hold them all; never empty when something was found.
 */
export function pageOf<T extends object>(
  found: readonly T[],
  limit: number,
  plain: (item: T) => object = (item) => item,
): Page<T> {
  let bytes = 0;
  let count = 0;
  for (const item of found.slice(0, limit)) {
    // As JSON an item is never shorter than as a protobuf message.
    bytes += Buffer.byteLength(JSON.stringify(plain(item)));
    if (count > 0 && bytes > MAX_BYTES) break;
    count += 1;
  }
  const items = found.slice(0, count);
  const last = items.at(-1);
  return { items, ...(count < found.length && last !== undefined && { last }) };
}
