import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { HpsError } from "../proto/values/hps-error.ts";
import { certificateIdentity } from "./certificate-identity.ts";
import { identityText } from "./identity.ts";

/**
 * A `checkServerIdentity` for tls and grpc-js. TLS has checked the chain and the use; this checks that the certificate
 * is a server's of `trustDomain` and bears the name or address we dialled. Returns the error, or undefined for yes.
 */
export function serverIdentityCheck(trustDomain: string) {
  return (host: string, peer: { readonly raw: Buffer }): Error | undefined => {
    try {
      checkServer(host, new X509Certificate(peer.raw), trustDomain);
      return undefined;
    } catch (cause) {
      if (cause instanceof HpsError) return cause;
      return new HpsError("unauthenticated", `the certificate of ${host} is unreadable`, { cause });
    }
  };
}

function checkServer(host: string, certificate: X509Certificate, trustDomain: string): void {
  const found = certificateIdentity(certificate);
  if (found.identity.kind !== "server") {
    throw new HpsError("unauthenticated", `${host} is no HPS server: it is ${identityText(found.identity)}`);
  }
  if (found.trustDomain !== trustDomain) {
    throw new HpsError("unauthenticated", `${host} is a server of ${found.trustDomain}, not of ${trustDomain}`);
  }
  // Only subject alternative names count: the common name is for people.
  const named = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host, { subject: "never" });
  if (named === undefined) {
    throw new HpsError("unauthenticated", `the server's certificate is not for ${host}`, {
      hint: `it is for ${certificate.subjectAltName ?? "no name"}`,
    });
  }
}
