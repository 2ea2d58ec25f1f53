import { expect, test } from "vitest";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { parseIpAddress } from "../../../proto/values/ip-address.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { openInventory } from "../testing/inventory.ts";
import { addTestCluster } from "../testing/open-test-store.ts";

const ADDRESS = parseIpAddress("192.0.2.7");
const macOf = (index: number) => parseMac(`5254${index.toString(16).padStart(8, "0")}`);
const NONE = new Map<string, string>();

test("a stranger is remembered with its first and last visit and what it said last", async () => {
  await using test = await openInventory();
  await test.contacts.seen(macOf(1), ADDRESS, new Map([["serial", "007"]]));
  const [first] = (await test.contacts.list({ limit: 9 })).contacts;
  await test.contacts.seen(macOf(1), parseIpAddress("192.0.2.8"), new Map([["serial", "008"]]));
  const { contacts } = await test.contacts.list({ limit: 9 });
  expect(contacts).toEqual([
    { ...first, lastSeenAt: contacts[0]?.lastSeenAt, address: "192.0.2.8", inventory: { serial: "008" } },
  ]);
  expect(contacts[0]?.lastSeenAt).toBeGreaterThan(first?.lastSeenAt ?? Number.POSITIVE_INFINITY);
});

test("a crowd leaves no more than so many, the newest", async () => {
  await using test = await openInventory();
  await Promise.all(Array.from({ length: 2_000 }, (_, index) => test.contacts.seen(macOf(index + 1), ADDRESS, NONE)));
  const pages = [await test.contacts.list({ limit: 15 })];
  const { next } = pages[0] ?? {};
  pages.push(await test.contacts.list({ limit: 15, ...(next && { after: next }) }));
  const macs = pages.flatMap(({ contacts }) => contacts.map(({ mac }) => mac));
  expect(macs).toEqual(Array.from({ length: 20 }, (_, index) => macOf(2_000 - index)));
  expect(pages[1]?.next).toBeUndefined();
});

test("what it says is bounded: keys are words, values are cut between characters", async () => {
  await using test = await openInventory();
  const said = new Map([
    ["product", `${"x".repeat(255)}€`],
    ["lone", "\ud800"],
    ["Bad Key", "x"],
    ["__proto__", "x"],
    ["k".repeat(33), "x"],
    ...Array.from({ length: 99 }, (_, index) => [`k${index}`, "\u001b[31m"] as const),
  ]);
  await test.contacts.seen(macOf(1), ADDRESS, said);
  const { inventory = {} } = (await test.contacts.list({ limit: 1 })).contacts[0] ?? {};
  expect(Object.keys(inventory).length).toBe(32);
  expect(inventory).toMatchObject({ product: "x".repeat(255), lone: "\ufffd", k0: "\u001b[31m" });
  expect(Object.keys(inventory).filter((key) => !/^[a-z]\w{0,31}$/.test(key))).toEqual([]);
});

test("a machine that becomes a host's is no stranger any more, nor again", async () => {
  await using test = await openInventory();
  const lab = await addTestCluster(test.store);
  for (const index of [1, 2, 3]) await test.contacts.seen(macOf(index), ADDRESS, NONE);
  const fields = { addresses: [], profile: "", tags: new Map(), resume: "never", network: "dhcp" } as const;
  const host = { ...fields, name: parseHostName("web01"), macs: [macOf(1)] };
  const { id } = await test.hosts.create(test.root, lab, host);
  const known = async () => (await test.contacts.list({ limit: 9 })).contacts.map(({ mac }) => mac);
  expect(await known()).toEqual([macOf(3), macOf(2)]);
  await test.hosts.update(test.root, id, { macs: [macOf(1), macOf(3)] }, "");
  await test.contacts.seen(macOf(3), ADDRESS, NONE);
  expect(await known()).toEqual([macOf(2)]);
});
