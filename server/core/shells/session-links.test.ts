import { expect, test } from "vitest";
import type { Caller } from "../identity/principal.ts";
import { addTestCluster, addTestHost } from "../testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity } from "../testing/test-identity.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import { SessionLinks } from "./session-links.ts";

async function openRig(lifetimeMs?: number) {
  const identity = await openTestIdentity();
  const clusterId = await addTestCluster(identity.store);
  const hostId = await addTestHost(identity.store, clusterId);
  await addTestOperator(identity.store, "wendy", { "*": "operator" });
  const asked = { kind: "operator", subject: "wendy", ...(lifetimeMs !== undefined && { lifetimeMs }) } as const;
  const { chain } = await issueTestPeer(identity, asked);
  const principal = await identity.principals.resolve(chain);
  const issuer: Caller = { principal, action: "make", address: "192.0.2.7", needs: "operator" };
  const wish = { hostId, clusterId, write: false, session: "", reason: "", validityMs: 60_000 };
  return { identity, issuer, wish, links: new SessionLinks(identity) };
}

test.each([0, 9_999, 600_001, Number.NaN])("a link is not good for %s ms", async (validityMs) => {
  const { identity, issuer, wish, links } = await openRig();
  await using _ = identity;
  await expect(links.create(issuer, { ...wish, validityMs })).rejects.toMatchObject({ code: "invalid" });
});

test("so many links of one operator; one that is over makes room", async () => {
  const { identity, issuer, wish, links } = await openRig();
  await using _ = identity;
  for (let count = 0; count < 32; count += 1) await links.create(issuer, wish);
  await expect(links.create(issuer, wish)).rejects.toMatchObject({ code: "exhausted" });
  identity.clock.forward(60_000);
  await links.create(issuer, wish);
});

test("a link lasts no longer than its maker's certificate", async () => {
  const { identity, issuer, wish, links } = await openRig(120_000);
  await using _ = identity;
  const { link, secret } = await links.create(issuer, { ...wish, validityMs: 600_000 });
  expect(link.expiresAt - identity.clock()).toBeLessThanOrEqual(120_000);
  identity.clock.forward(121_000);
  await expect(links.find(secret, "")).rejects.toMatchObject({ code: "unauthenticated" });
});

test("two at one time: one has it", async () => {
  const { identity, issuer, wish, links } = await openRig();
  await using _ = identity;
  const { secret } = await links.create(issuer, wish);
  const [first, second] = await Promise.all([links.find(secret, ""), links.find(secret, "")]);
  expect([links.use(first), links.use(second)]).toEqual([true, false]);
});

test("fewer roles void a link, more do not", async () => {
  const { identity, issuer, wish, links } = await openRig();
  await using _ = identity;
  const { secret } = await links.create(issuer, wish);
  identity.live.operatorChanged("wendy", new Map([["*", "admin"]]));
  const link = await links.find(secret, "");
  identity.live.operatorChanged("wendy", new Map([["*", "viewer"]]));
  expect(links.use(link)).toBe(false);
  await expect(links.find(secret, "")).rejects.toMatchObject({ code: "unauthenticated" });
});
