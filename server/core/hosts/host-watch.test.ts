import { expect, test } from "vitest";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { holdHost, type Inventory, openInventory } from "../testing/inventory.ts";
import { addTestCluster } from "../testing/open-test-store.ts";
import type { HostNews } from "./host-watch.ts";

async function start() {
  const inventory = await openInventory();
  const [a, b] = [await addTestCluster(inventory.store, "a"), await addTestCluster(inventory.store, "b")];
  return Object.assign(inventory, { a, b, add: adder(inventory) });
}

function adder({ hosts, root }: Inventory) {
  let made = 0;
  return async (clusterId: string, name: string) => {
    made += 1;
    const macs = [parseMac(`5254${made.toString(16).padStart(8, "0")}`)];
    const rest = { addresses: [], profile: "", tags: new Map(), resume: "never", network: "dhcp" } as const;
    return await hosts.create(root, clusterId, { name: parseHostName(name), macs, ...rest });
  };
}

async function take(source: AsyncGenerator<HostNews>, count: number): Promise<HostNews[]> {
  const news: HostNews[] = [];
  while (news.length < count) {
    const { value } = await source.next();
    if (!value) break;
    news.push(value);
  }
  return news;
}

/** What comes until all that came satisfies `enough`. */
async function takeUntil(source: AsyncGenerator<HostNews>, enough: (news: readonly HostNews[]) => boolean) {
  const news: HostNews[] = [];
  while (!enough(news)) {
    const { value } = await source.next();
    if (!value) throw new Error(`the watch ended after ${said(news)}`);
    news.push(value);
  }
  return news;
}

const said = (news: readonly HostNews[]) => news.map(({ host }) => (host ? `${host.name} ${host.state}` : "gone"));
const signal = () => AbortSignal.timeout(20_000);

test("all hosts as they are, then what changes, then that one is gone", async () => {
  await using test = await start();
  const one = await test.add(test.a, "one");
  await test.add(test.a, "two");
  const watch = test.watchHosts("all", 0, signal());
  expect(said(await take(watch, 2))).toEqual(["one registered", "two registered"]);
  // Changes that come together are told as one, so only the last word of each host is certain.
  const lastOf = (news: readonly HostNews[], name: string) => said(news).findLast((each) => each.startsWith(name));
  const waiting = takeUntil(
    watch,
    (news) => lastOf(news, "one") === "one registered" && lastOf(news, "three") === "three registered",
  );
  await test.hosts.update(test.root, one.id, { profile: "x" }, "");
  await holdHost(test.store, test.changes, one.id, "armed");
  await test.add(test.b, "three");
  await test.store.write(async (tx) => {
    await tx.deleteFrom("installation").execute();
    await test.changes.note(tx, { kind: "host", objectId: one.id, clusterId: test.a, deleted: false });
  });
  expect((await waiting).findLast(({ hostId }) => hostId === one.id)?.host?.profile).toBe("x");
  await test.hosts.delete(test.root, one.id, "");
  const rest = await takeUntil(watch, (news) => news.length > 0 && news.at(-1)?.host === undefined);
  expect(rest.at(-1)).toMatchObject({ hostId: one.id });
});

test("only the last host of the beginning carries the sequence to go on from", async () => {
  await using test = await start();
  for (const name of ["one", "two", "three"]) await test.add(test.a, name);
  const news = await take(test.watchHosts("all", 0, signal()), 3);
  expect(news.map(({ sequence }) => sequence)).toEqual([0, 0, 3]);
  const after = test.watchHosts("all", 3, signal());
  await test.add(test.a, "four");
  expect(said(await take(after, 1))).toEqual(["four registered"]);
});

test("who goes on from a sequence is told of what came after it, also of what is gone", async () => {
  await using test = await start();
  const one = await test.add(test.a, "one");
  const two = await test.add(test.a, "two");
  const from = await test.changes.last();
  await test.hosts.delete(test.root, one.id, "");
  await test.hosts.update(test.root, two.id, { profile: "x" }, "");
  const news = await take(test.watchHosts("all", from, signal()), 2);
  expect(news.map(({ hostId, host, sequence }) => [hostId, host?.profile, sequence])).toEqual([
    [one.id, undefined, from + 1],
    [two.id, "x", from + 2],
  ]);
});

test("a change that shows nothing new is not told", async () => {
  await using test = await start();
  const one = await test.add(test.a, "one");
  const watch = test.watchHosts("all", 0, signal());
  await take(watch, 1);
  const waiting = take(watch, 1);
  const poke = async () =>
    await test.store.write(
      async (tx) => await test.changes.note(tx, { kind: "host", objectId: one.id, clusterId: test.a, deleted: false }),
    );
  await poke();
  test.attached.set(one.id, { clusterId: test.a, version: "1.4.2" });
  await poke();
  expect(await waiting).toMatchObject([{ host: { attached: true } }]);
});

test("other clusters stay unseen, also their hosts' end", async () => {
  await using test = await start();
  await test.add(test.a, "one");
  const other = await test.add(test.b, "other");
  const watch = test.watchHosts([test.a], 0, signal());
  expect(said(await take(watch, 1))).toEqual(["one registered"]);
  const waiting = take(watch, 1);
  await holdHost(test.store, test.changes, other.id, "armed");
  await test.store.write(async (tx) => void (await tx.deleteFrom("installation").execute()));
  await test.hosts.delete(test.root, other.id, "");
  await test.add(test.a, "two");
  expect(said(await waiting)).toEqual(["two registered"]);
});

test("the beginning is whole with more hosts than one page, and with none", async () => {
  await using test = await start();
  for (let index = 0; index < 501; index += 1) await test.add(test.a, `h${index}`);
  const news = await take(test.watchHosts([test.a], 0, signal()), 501);
  expect(new Set(news.map(({ hostId }) => hostId)).size).toBe(501);
  expect(news.filter(({ sequence }) => sequence !== 0).length).toBe(1);
  const none = test.watchHosts([test.b], 0, signal());
  const waiting = take(none, 1);
  await test.add(test.b, "first");
  expect(said(await waiting)).toEqual(["first registered"]);
});

test("what is no longer kept is out of range; the signal ends the watch", async () => {
  await using test = await start();
  for (const name of ["one", "two", "three"]) await test.add(test.a, name);
  await test.changes.prune(1);
  await expect(test.watchHosts("all", 1, signal()).next()).rejects.toMatchObject({ code: "out-of-range" });
  const stop = new AbortController();
  const waiting = test.watchHosts("all", 3, stop.signal).next();
  stop.abort();
  expect(await waiting).toMatchObject({ done: true });
});
