import type { VerifiedPeer } from "../../../certs/verify.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type CertificateRow, selectCertificate } from "../../store/certificates.ts";
import type { Db } from "../../store/database.ts";
import { locateHost } from "../../store/lookup.ts";
import { locateOpenInstallation } from "../../store/open-installation.ts";
import { selectBindings, selectOperator } from "../../store/operators.ts";
import type { HostPrincipal, InstallerPrincipal, OperatorPrincipal, Principal } from "./principal.ts";
import { stateRefusal } from "./state-refusal.ts";

/** A principal, and the serial of the certificate that its own was made to replace, while that one still opens something. */
export interface Known {
  readonly principal: Principal;
  readonly replaces?: string;
}

/** What the store knows of a verified certificate. `unauthenticated` when it opens nothing. */
export async function readPrincipal(db: Db, peer: VerifiedPeer): Promise<Known> {
  const row = await selectCertificate(db, peer.serial);
  if (row === undefined || row.fingerprint !== peer.fingerprint) {
    throw refusal(
      peer,
      "unknown",
      "hpsd does not know your certificate",
      "enrol again (an operator: by a new invitation); was hpsd restored from a backup?",
    );
  }
  const refused = stateRefusal(row.state, row.revokeReason);
  if (refused !== undefined) throw withIdentity(refused, peer);
  const principal = await principalOf(db, peer, row);
  return { principal, ...(await replacedBy(db, row)) };
}

async function principalOf(db: Db, peer: VerifiedPeer, row: CertificateRow): Promise<Principal> {
  const { identity } = peer;
  if (identity.kind === "operator") return await operatorOf(db, peer, identity.name);
  if (identity.kind === "installer") return await installerOf(db, peer, identity.id);
  if (identity.kind === "host") return await hostOf(db, peer, row);
  throw refusal(peer, "usage", "a server's certificate is not for a client");
}

async function operatorOf(db: Db, certificate: VerifiedPeer, name: string): Promise<OperatorPrincipal> {
  const operator = await selectOperator(db, name);
  if (operator === undefined) throw refusal(certificate, "gone", `operator ${name} is no more`);
  const bindings = await selectBindings(db, operator.id);
  const roles = new Map(bindings.map(({ clusterId, role }) => [clusterId, role]));
  return { kind: "operator", id: operator.id, name, roles, certificate };
}

async function installerOf(db: Db, certificate: VerifiedPeer, installationId: string): Promise<InstallerPrincipal> {
  const open = await locateOpenInstallation(db, installationId);
  if (open === undefined) throw refusal(certificate, "ended", `installation ${installationId} is over`);
  return { kind: "installer", installationId, hostId: open.hostId, clusterId: open.clusterId, certificate };
}

async function hostOf(db: Db, certificate: VerifiedPeer, row: CertificateRow): Promise<HostPrincipal> {
  const host = await locateHost(db, row.subject);
  if (host === undefined) throw refusal(certificate, "gone", `host ${row.subject} is no more`);
  return { kind: "host", hostId: host.id, clusterId: host.clusterId, waiting: row.state === "waiting", certificate };
}

async function replacedBy(db: Db, { replaces }: CertificateRow): Promise<{ readonly replaces?: string }> {
  const replaced = replaces === null ? undefined : await selectCertificate(db, replaces);
  return replaced === undefined || replaced.state === "revoked" ? {} : { replaces: replaced.serial };
}

function refusal(peer: VerifiedPeer, reason: string, message: string, hint = ""): HpsError {
  return withIdentity(new HpsError("unauthenticated", message, { hint, details: { reason } }), peer);
}

function withIdentity({ code, message, hint, details }: HpsError, peer: VerifiedPeer): HpsError {
  return new HpsError(code, message, { hint, details: { ...details, identity: peer.uri } });
}
