import { expect, test } from "vitest";
import { createIntermediate, createRoot } from "./authority.ts";
import { issue } from "./issue.ts";
import { makeKey } from "./key.ts";
import { PROFILES } from "./profiles.ts";
import { DAY, makeChain, makePeer, PEERS } from "./test-chain.ts";

const chain = await makeChain();
const { root, now } = chain;

test.each(Object.values(PEERS))("a $kind's life is bounded by its profile", async (identity) => {
  const { longest } = PROFILES[identity.kind];
  const { certificate } = await makePeer(chain, identity, { lifetime: longest });
  const second = Math.floor(now / 1000) * 1000;
  expect(certificate.validFromDate.getTime()).toBe(second - 60_000);
  expect(certificate.validToDate.getTime()).toBe(second + longest);
  await expect(makePeer(chain, identity, { lifetime: longest + 1 })).rejects.toThrow(/cannot live/);
  await expect(makePeer(chain, identity, { lifetime: 59_999 })).rejects.toThrow(/cannot live/);
  await expect(makePeer(chain, identity, { lifetime: Number.NaN })).rejects.toThrow(/cannot live/);
});

test("nothing outlives its issuer, and an issuer in its last minute issues nothing", async () => {
  const intermediate = await createIntermediate(root, { name: "Short", now, lifetime: 10 * DAY });
  const end = intermediate.certificate.validToDate.getTime();
  const { certificate } = await makePeer({ ...chain, intermediate }, PEERS.host, { lifetime: 90 * DAY });
  expect(certificate.validToDate.getTime()).toBe(end);
  await expect(makePeer({ ...chain, intermediate, now: end - 59_000 }, PEERS.host)).rejects.toThrow(
    /authority expires/,
  );
  const long = await createIntermediate(root, { name: "Long", now, lifetime: 9999 * DAY });
  expect(long.certificate.validToDate.getTime()).toBe(root.certificate.validToDate.getTime());
});

test("only a server is named, and it must be", async () => {
  for (const identity of [PEERS.operator, PEERS.host, PEERS.installer]) {
    await expect(makePeer(chain, identity, { dnsNames: ["web01"] })).rejects.toThrow(/has no DNS name/);
    await expect(makePeer(chain, identity, { ipAddresses: ["10.0.0.1"] })).rejects.toThrow(/has no DNS name/);
  }
  await expect(makePeer(chain, PEERS.server, { dnsNames: [], ipAddresses: [] })).rejects.toThrow(/needs a DNS name/);
  for (const name of ["*.example.org", "a b", "", "-a", "a..b", "a\0b", "ä.org", `${"a".repeat(64)}.org`]) {
    await expect(makePeer(chain, PEERS.server, { dnsNames: [name] })).rejects.toThrow(/not a domain name/);
  }
  for (const address of ["localhost", "127.1", "fe80::1%eth0", ""]) {
    await expect(makePeer(chain, PEERS.server, { ipAddresses: [address] })).rejects.toThrow(/not an IP(v6)? address/);
  }
});

test("names of authorities and identities are checked before anything is signed", async () => {
  const options = { now, lifetime: DAY };
  await expect(createRoot({ ...options, name: "x", trustDomain: "Example" })).rejects.toThrow(/trust domain/);
  await expect(createRoot({ ...options, name: "a,CN=b", trustDomain: "example.org" })).rejects.toThrow(/not a name/);
  const identity = { kind: "operator", name: "a/b" } as const;
  await expect(issue(root, { ...options, identity, publicKey: makeKey().publicKey })).rejects.toThrow(/operator name/);
});
