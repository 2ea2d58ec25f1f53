import type { PeerIdentity } from "../../../certs/identity.ts";
import { identityUri } from "../../../certs/identity.ts";
import type { VerifiedPeer } from "../../../certs/verify.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import {
  type Caller,
  EVERYWHERE,
  type HostPrincipal,
  type InstallerPrincipal,
  type OperatorPrincipal,
  type Principal,
  type Role,
} from "../identity/principal.ts";

/** For tests of the core alone: callers as the access interceptor would give them, without any certificate behind. */

const TRUST_DOMAIN = "test.example";

function certificateOf(identity: PeerIdentity): VerifiedPeer {
  const serial = newUuid().replaceAll("-", "");
  return {
    trustDomain: TRUST_DOMAIN,
    identity,
    uri: identityUri(TRUST_DOMAIN, identity),
    serial,
    issuerSerial: "01",
    fingerprint: `${serial}${serial}`,
    publicKeyDigest: `${serial}${serial}`,
    notBefore: 0,
    notAfter: Number.MAX_SAFE_INTEGER,
  };
}

export function callerOf<P extends Principal>(principal: P, needs: Role = "viewer"): Caller<P> {
  return { principal, action: "hps.v1.TestService/Test", address: "192.0.2.1", needs };
}

/** An operator with `role` in one cluster (by id), or in all; the method it calls needs just that role. */
export function operatorCaller(role: Role, clusterId: string = EVERYWHERE, name = "alice"): Caller<OperatorPrincipal> {
  const certificate = certificateOf({ kind: "operator", name });
  return callerOf({ kind: "operator", id: newUuid(), name, roles: new Map([[clusterId, role]]), certificate }, role);
}

export function installerCaller(
  of: Pick<InstallerPrincipal, "installationId" | "hostId" | "clusterId">,
): Caller<InstallerPrincipal> {
  const certificate = certificateOf({ kind: "installer", id: of.installationId });
  return callerOf({ kind: "installer", ...of, certificate }, "admin");
}

export function hostCaller(of: Pick<HostPrincipal, "hostId" | "clusterId">): Caller<HostPrincipal> {
  const certificate = certificateOf({ kind: "host", id: of.hostId });
  return callerOf({ kind: "host", ...of, waiting: false, certificate }, "admin");
}
