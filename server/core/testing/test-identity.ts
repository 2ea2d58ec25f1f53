import type { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readCertificatesPem } from "../../../certs/files.ts";
import { type KeyPair, makeKey, privateKeyPem } from "../../../certs/key.ts";
import type { HpsStore } from "../../store/database.ts";
import { Audit } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import { Authority } from "../identity/authority.ts";
import { Certificates } from "../identity/certificates.ts";
import { initAuthority } from "../identity/init-authority.ts";
import { LIFETIME } from "../identity/lifetimes.ts";
import { LiveCalls } from "../identity/live-calls.ts";
import { Principals } from "../identity/principals.ts";
import { Refusals } from "../identity/refusals.ts";
import type { SignedCertificate } from "../identity/signed-certificate.ts";
import { openTestStore } from "./open-test-store.ts";

export const TEST_PASSPHRASE = "correct horse";
/** Next to nothing: an authority is made for more than a hundred tests. */
export const TEST_PASSPHRASE_COST = { N: 2, r: 1, p: 1 };
const TEST_TRUST_DOMAIN = "test.example";

/** A clock that a test moves. */
interface TestClock {
  (): number;
  /** Adds milliseconds; it never goes back by itself. */
  forward(ms: number): void;
}

export interface TestIdentity extends AsyncDisposable {
  readonly store: HpsStore;
  readonly folder: string;
  readonly rootKeyFile: string;
  readonly clock: TestClock;
  readonly audit: Audit;
  readonly changes: Changes;
  readonly authority: Authority;
  readonly principals: Principals;
  readonly live: LiveCalls;
  readonly certificates: Certificates;
  readonly refusals: Refusals;
}

/** For tests: the real identity modules over a real store, with an authority of their own. */
export async function openTestIdentity(): Promise<TestIdentity> {
  const store = await openTestStore();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-state-"));
  const outside = await mkdtemp(path.join(tmpdir(), "hps-root-"));
  const clock = testClock();
  const rootKeyFile = path.join(outside, "root.key");
  const init = { store, stateFolder: folder, clock, trustDomain: TEST_TRUST_DOMAIN, rootKeyOut: rootKeyFile };
  await initAuthority({ ...init, passphrase: TEST_PASSPHRASE, passphraseCost: TEST_PASSPHRASE_COST });
  const authority = await Authority.open({ store, stateFolder: folder, clock });
  const audit = new Audit(store, clock);
  const changes = new Changes(store, clock);
  const live = new LiveCalls();
  const principals = new Principals({ store, clock, trust: () => authority.trust() });
  const certificates = new Certificates({ store, changes, clock, principals, live });
  const refusals = new Refusals(audit, clock);
  const dispose = async () => {
    await refusals.flush();
    await store[Symbol.asyncDispose]();
    for (const made of [folder, outside]) await rm(made, { recursive: true, force: true });
  };
  const parts = {
    store,
    folder,
    rootKeyFile,
    clock,
    audit,
    changes,
    authority,
    principals,
    live,
    certificates,
    refusals,
  };
  return { ...parts, [Symbol.asyncDispose]: dispose };
}

function testClock(): TestClock {
  let offset = 0;
  const clock = () => Date.now() + offset;
  return Object.assign(clock, {
    forward: (ms: number) => {
      offset += ms;
    },
  });
}

/** A certificate of ours with its key, as a client presents it. */
export interface TestPeer {
  readonly signed: SignedCertificate;
  readonly keys: KeyPair;
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** DER, leaf first: what a listener sees. */
  readonly chain: readonly Buffer[];
}

export interface PeerOptions {
  readonly kind: "operator" | "installer" | "host";
  readonly subject: string;
  readonly hostId?: string;
  readonly clusterId?: string;
  readonly state?: "valid" | "waiting";
  readonly lifetimeMs?: number;
  readonly replaces?: string;
}

/** Signs and records a certificate for a new key. What it names must be seeded by the test. */
export async function issueTestPeer(identity: TestIdentity, options: PeerOptions): Promise<TestPeer> {
  const { kind, subject, lifetimeMs = LIFETIME[kind], state = "valid", ...where } = options;
  const keys = makeKey();
  const signed = await identity.authority.sign({ kind, subject, publicKey: keys.publicKey, lifetimeMs });
  await identity.store.write((tx) => identity.certificates.record(tx, signed, { ...where, state }));
  return testPeer(signed, keys);
}

function testPeer(signed: SignedCertificate, keys: KeyPair): TestPeer {
  const chain = readCertificatesPem(signed.chainPem, "the chain").map((each: X509Certificate) => each.raw);
  return { signed, keys, key: privateKeyPem(keys.privateKey), cert: signed.chainPem, chain };
}
