import type { X509Certificate } from "node:crypto";
import type { IdentityKind, PeerIdentity } from "../../../certs/identity.ts";
import { publicKeyDigest } from "../../../certs/key.ts";

/** A certificate that was signed and is not recorded yet: until it is, it opens nothing. */
export interface SignedCertificate {
  readonly kind: IdentityKind;
  /** Operator name, installation id, host id or server name. */
  readonly subject: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  /** SHA-256 of the SPKI, hex. */
  readonly publicKey: string;
  /** UTC milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Leaf and intermediate, as TLS and EST send them. */
  readonly chainPem: string;
}

export function signedCertificate(
  identity: PeerIdentity,
  leaf: X509Certificate,
  issuer: X509Certificate,
): SignedCertificate {
  return {
    kind: identity.kind,
    subject: subjectOf(identity),
    serial: leaf.serialNumber.toLowerCase(),
    fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    publicKey: publicKeyDigest(leaf.publicKey),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    chainPem: `${leaf}${issuer}`,
  };
}

/** What the store calls an identity within its kind. */
export function subjectOf(identity: PeerIdentity): string {
  return "name" in identity ? identity.name : identity.id;
}

export function peerIdentity(kind: IdentityKind, subject: string): PeerIdentity {
  return kind === "operator" || kind === "server" ? { kind, name: subject } : { kind, id: subject };
}
