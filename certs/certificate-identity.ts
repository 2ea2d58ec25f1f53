import type { X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { type DomainIdentity, parseIdentityUri, parseTrustDomainUri } from "./identity.ts";

/** Whom a certificate names. It must carry exactly one URI, and that one an HPS identity; else `invalid`. */
export function certificateIdentity(certificate: X509Certificate): DomainIdentity {
  return parseIdentityUri(onlyUri(certificate));
}

/** The trust domain an authority's certificate names. */
export function authorityTrustDomain(certificate: X509Certificate): string {
  return parseTrustDomainUri(onlyUri(certificate));
}

// Node writes names as `KIND:value, KIND:value` and quotes a value as JSON when it could be mistaken for the separator.
const ENTRY = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

function onlyUri(certificate: X509Certificate): string {
  const text = certificate.subjectAltName ?? "";
  const uris: string[] = [];
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const [, kind, value] = ENTRY.exec(text) ?? [];
    if (kind === undefined || value === undefined)
      throw new HpsError("invalid", "the certificate's names are unreadable");
    if (kind === "URI") uris.push(value);
  }
  const [uri, ...more] = uris;
  if (uri === undefined) throw new HpsError("invalid", "the certificate carries no identity (URI)");
  if (more.length > 0) throw new HpsError("invalid", "the certificate carries more than one identity (URI)");
  return uri;
}
