import type { KeyObject, X509Certificate } from "node:crypto";
import { type Authority, createIntermediate, createRoot } from "./authority.ts";
import type { PeerIdentity } from "./identity.ts";
import { type IssueOptions, issue } from "./issue.ts";
import { makeKey } from "./key.ts";

/** What tests share: a small authority and certificates of every kind under it. */

export const DAY = 24 * 60 * 60 * 1000;
export const ID = "01900000-0000-7000-8000-000000000001";

export const PEERS = {
  operator: { kind: "operator", name: "alice" },
  host: { kind: "host", id: ID },
  installer: { kind: "installer", id: ID },
  server: { kind: "server", name: "hpsd" },
} as const satisfies Record<string, PeerIdentity>;

export interface TestChain {
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly now: number;
}

export async function makeChain(trustDomain = "example.org", now = Date.now()): Promise<TestChain> {
  const root = await createRoot({ trustDomain, name: "Test root", now, lifetime: 7300 * DAY });
  const intermediate = await createIntermediate(root, { name: "Test issuing", now, lifetime: 1825 * DAY });
  return { root, intermediate, now };
}

export interface TestPeer {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** A chain with a server and an operator under it. */
export interface TestParty {
  readonly chain: TestChain;
  readonly server: TestPeer;
  readonly operator: TestPeer;
}

let party: Promise<TestParty> | undefined;

/** The same for all tests of this process: making one takes longer than most of what is tried with it. */
export function sharedParty(): Promise<TestParty> {
  party ??= makeParty();
  return party;
}

async function makeParty(): Promise<TestParty> {
  const chain = await makeChain();
  const [server, operator] = await Promise.all([makePeer(chain, PEERS.server), makePeer(chain, PEERS.operator)]);
  return { chain, server, operator };
}

/** A certificate of `identity` for one day, with a new key; a server's is for localhost and both loopback addresses. */
export async function makePeer(
  chain: TestChain,
  identity: PeerIdentity,
  options: Partial<IssueOptions> = {},
): Promise<TestPeer> {
  const { publicKey, privateKey } = makeKey();
  const names = { dnsNames: ["localhost", "hps.example.org"], ipAddresses: ["127.0.0.1", "::1"] };
  const certificate = await issue(chain.intermediate, {
    identity,
    publicKey,
    now: chain.now,
    lifetime: DAY,
    ...(identity.kind === "server" ? names : {}),
    ...options,
  });
  return { certificate, privateKey };
}
