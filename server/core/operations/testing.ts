/** For tests of installations: a real store with one host, and what the other modules were asked to do. */
import { parseIdentityUri } from "../../../certs/identity.ts";
import type { VerifiedPeer } from "../../../certs/verify.ts";
import type { Tx } from "../../store/database.ts";
import { Audit } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import type { HostEvent } from "../hosts/life-cycle.ts";
import type { Caller, HostPrincipal, InstallerPrincipal, OperatorPrincipal, Principal } from "../identity/principal.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { Bell } from "./bell.ts";
import { Installations, type InstallationsDeps } from "./installations.ts";

/** A certificate of the right form; its proof is not what these tests are about. */
export function peerOf(identity: string, issuedAt: number): VerifiedPeer {
  const day = 86_400_000;
  return {
    ...parseIdentityUri(`spiffe://example.org/${identity}`),
    uri: `spiffe://example.org/${identity}`,
    serial: "01",
    issuerSerial: "02",
    fingerprint: "aa",
    publicKeyDigest: "bb",
    notBefore: issuedAt - 60_000,
    notAfter: issuedAt + day,
  };
}

export function callerOf<P extends Principal>(principal: P): Caller<P> {
  return { principal, action: "hps.v1.AgentService/Attach", address: "192.0.2.7", needs: "viewer" };
}

export const ALICE: Caller<OperatorPrincipal> = {
  principal: {
    kind: "operator",
    id: "alice",
    name: "alice",
    roles: new Map([["*", "admin"]]),
    certificate: peerOf("operator/alice", 0),
  },
  action: "hps.v1.HostService/ArmHost",
  address: "192.0.2.1",
  needs: "operator",
};

export async function openOperations(options: { readonly resume?: "never" | "once" | "always" } = {}) {
  const store = await openTestStore();
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId, { name: "web01", resume: options.resume ?? "never" });
  const time = { now: 1_800_000_000_000 };
  const clock = () => time.now;
  const asked: string[] = [];
  const ask = (what: string) => async (_: Tx, id: string) => void asked.push(`${what} ${id}`);
  const hooks = {
    voidClaims: ask("void"),
    revokeInstaller: ask("revoke"),
    suspendHost: ask("suspend"),
    resumeHost: ask("resume"),
  };
  const orders = {
    proceed: (id: string, done: readonly string[]) => void asked.push(`proceed ${id} ${done.join()}`.trim()),
    cancel: (id: string) => void asked.push(`cancel ${id}`),
  };
  const audit = new Audit(store, clock);
  const changes = new Changes(store, clock);
  const bell = new Bell();
  const deps: InstallationsDeps = {
    ...{ store, audit, clock, changes, bell, hooks, orders },
    pendingOf: async () => undefined,
    isAttached: () => false,
  };
  const installations = new Installations(deps);
  return {
    ...{ store, clusterId, hostId, time, asked, deps, installations },
    /** Armed, and brought forward by these events. */
    async opened(...events: readonly HostEvent[]): Promise<string> {
      const { id } = await installations.arm(ALICE, hostId, { image: "debian/web:12", wipeDiskSerials: ["S1"] });
      for (const event of events) {
        await store.write(async (tx) => void (await installations.apply(tx, id, event, { actor: "test" })));
      }
      return id;
    },
    installer: (installationId: string, issuedAt = time.now): Caller<InstallerPrincipal> =>
      callerOf({
        ...{ kind: "installer" as const, installationId, hostId, clusterId },
        certificate: peerOf(`installer/${installationId}`, issuedAt),
      }),
    host: (): Caller<HostPrincipal> =>
      callerOf({ kind: "host" as const, hostId, clusterId, certificate: peerOf(`host/${hostId}`, time.now) }),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}
