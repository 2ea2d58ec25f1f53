/** For tests: reads from a stream that does not end. */

/** The next `count` items. The stream stays open. */
export async function nextItems<T>(stream: AsyncIterator<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) {
    const result = await stream.next();
    if (result.done === true) break;
    items.push(result.value);
  }
  return items;
}

/** Every item of a list, page by page. */
export async function allPages<P extends { readonly nextPageToken: string }, T>(
  page: (pageToken: string) => Promise<P>,
  itemsOf: (page: P) => readonly T[],
): Promise<T[]> {
  const items: T[] = [];
  let token = "";
  do {
    const answer = await page(token);
    items.push(...itemsOf(answer));
    token = answer.nextPageToken;
  } while (token !== "");
  return items;
}
