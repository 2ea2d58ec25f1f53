import { X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { certificateIdentity } from "./certificate-identity.ts";
import { identityText } from "./identity.ts";

/**
 * The name by which an operator asks for a host's own door, in that door's certificate. Below `invalid` (RFC 6761), so that it can
 * be no name that DNS, a browser or hpsd's own certificate knows; with the cluster, because two clusters may have hosts of one name.
 */
export function hostDoorName(cluster: string, host: string): string {
  return `${host}.${cluster}.host.invalid`;
}

/** The same by the host's id. */
export function hostDoorNameOfId(id: string): string {
  return `${id}.host-id.invalid`;
}

/**
 * What must hold of the certificate of a host's door beside chain, use and name, which TLS has checked: that it is a host's, of this
 * trust domain. Gives what is wrong; undefined for nothing.
 */
export function hostDoorProblem(trustDomain: string, peer: { readonly raw: Buffer }): string | undefined {
  try {
    const found = certificateIdentity(new X509Certificate(peer.raw));
    if (found.identity.kind !== "host") return `it is no host: it is ${identityText(found.identity)}`;
    return found.trustDomain === trustDomain
      ? undefined
      : `it is a host of ${found.trustDomain}, not of ${trustDomain}`;
  } catch (error) {
    return error instanceof HpsError ? error.message : "its certificate is unreadable";
  }
}
