import type { VerifiedPeer } from "../../../certs/verify.ts";

const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** In all clusters. */
export const EVERYWHERE = "*";

/** Who is asking, as the store knows the certificate at the moment of the call. */
export type Principal = OperatorPrincipal | InstallerPrincipal | HostPrincipal | NobodyPrincipal;

export interface OperatorPrincipal {
  readonly kind: "operator";
  readonly id: string;
  readonly name: string;
  /** By cluster id, or EVERYWHERE. */
  readonly roles: ReadonlyMap<string, Role>;
  readonly certificate: VerifiedPeer;
}

export interface InstallerPrincipal {
  readonly kind: "installer";
  readonly installationId: string;
  readonly hostId: string;
  readonly clusterId: string;
  readonly certificate: VerifiedPeer;
}

export interface HostPrincipal {
  readonly kind: "host";
  readonly hostId: string;
  readonly clusterId: string;
  /** Set while its certificate is good for one thing only: to attach, which makes it good for all. */
  readonly waiting?: boolean;
  readonly certificate: VerifiedPeer;
}

/** No certificate: what asks for health alone. */
interface NobodyPrincipal {
  readonly kind: "nobody";
}

/** A principal in one call: what it wants, from where, and what the contract says it needs for that. */
export interface Caller<P extends Principal = Principal> {
  readonly principal: P;
  /** `hps.v1.HostService/ArmHost`; what the audit log calls it. */
  readonly action: string;
  readonly address: string;
  /** The least role the contract asks of an operator. */
  readonly needs: Role;
}

/** How the audit log names a principal. */
export function actorOf(caller: Caller): string {
  return caller.principal.kind === "nobody" ? `address:${caller.address}` : caller.principal.certificate.uri;
}

export function atLeast(role: Role | undefined, needs: Role): boolean {
  return role !== undefined && ROLES.indexOf(role) >= ROLES.indexOf(needs);
}

/** The operator's role in one cluster, the higher of the one there and the one everywhere. */
export function roleIn(principal: Pick<OperatorPrincipal, "roles">, clusterId: string): Role | undefined {
  const here = principal.roles.get(clusterId);
  const everywhere = principal.roles.get(EVERYWHERE);
  return atLeast(here, everywhere ?? "viewer") ? here : everywhere;
}

/** The clusters in which the operator has the role. */
export function clustersOf(principal: OperatorPrincipal, needs: Role): "all" | readonly string[] {
  if (atLeast(principal.roles.get(EVERYWHERE), needs)) return "all";
  return [...principal.roles].filter(([, role]) => atLeast(role, needs)).map(([clusterId]) => clusterId);
}
