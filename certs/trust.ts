import type { X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { authorityTrustDomain } from "./certificate-identity.ts";

/** One certificate of a chain, read once. Times are UTC milliseconds. */
export interface Link {
  readonly certificate: X509Certificate;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** An intermediate whose signature by `root` has been checked. */
export interface TrustedIssuer {
  readonly intermediate: Link;
  readonly root: Link;
}

/** Whom a program believes. Made once; a rotation makes a new one, so what was checked under the old is not carried over. */
export interface Trust {
  readonly trustDomain: string;
  readonly issuers: readonly TrustedIssuer[];
}

/** Checks that every intermediate is signed by one of the roots, all of one trust domain. Times are checked at use. */
export function createTrust(roots: readonly X509Certificate[], intermediates: readonly X509Certificate[]): Trust {
  const [trustDomain, ...others] = new Set([...roots, ...intermediates].map(authorityTrustDomain));
  if (trustDomain === undefined) throw new HpsError("invalid", "no root certificate");
  if (others.length > 0)
    throw new HpsError("invalid", `authorities of several trust domains: ${trustDomain}, ${others}`);
  const lame = [...roots, ...intermediates].find((authority) => !authority.ca);
  if (lame !== undefined) throw new HpsError("invalid", `${lame.subject} is not a certificate authority`);
  const checkedRoots = roots.map((root) => {
    if (!isIssuedBy(root, root))
      throw new HpsError("invalid", `${root.subject} is not a root: it does not sign itself`);
    return root;
  });
  const issuers = intermediates.map((intermediate) => {
    const root = checkedRoots.find((candidate) => isIssuedBy(intermediate, candidate));
    if (root === undefined) throw new HpsError("invalid", `${intermediate.subject} is not signed by a trusted root`);
    return { intermediate: readLink(intermediate), root: readLink(root) };
  });
  return { trustDomain, issuers };
}

/** Whether `issuer` signed `certificate`: name, key identifier, right to sign, signature. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Reads what is asked of a certificate again and again. The serial is lower-case hex. */
export function readLink(certificate: X509Certificate): Link {
  return {
    certificate,
    serial: certificate.serialNumber.toLowerCase(),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  };
}
