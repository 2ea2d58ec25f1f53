import { X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { base64Body, readBase64Body } from "./base64-body.ts";
import { der, derInteger, derOid, readDer, readInside, TAG } from "./der.ts";

/** Certs-only PKCS#7, what EST answers with (RFC 7030 section 4.1.3; RFC 5652 SignedData without signers). */

const SIGNED_DATA = derOid("1.2.840.113549.1.7.2");
const DATA = derOid("1.2.840.113549.1.7.1");
const LONGEST_BUNDLE = 256 * 1024;
const MOST_CERTIFICATES = 32;

/** DER with the certificates in the order given. */
export function encodeCertificates(certificates: readonly X509Certificate[]): Buffer {
  const signedData = der(
    TAG.sequence,
    derInteger(1),
    der(TAG.set), // digest algorithms: none
    der(TAG.sequence, DATA),
    der(TAG.context0, ...certificates.map((certificate) => certificate.raw)),
    der(TAG.set), // signers: none
  );
  return der(TAG.sequence, SIGNED_DATA, der(TAG.context0, signedData));
}

/** The same as the body of an EST answer. */
export function certificatesBody(certificates: readonly X509Certificate[]): string {
  return base64Body(encodeCertificates(certificates));
}

/** Reads DER or base64. A SET has no order of its own: leaves come first, authorities after. Errors are `invalid`. */
export function decodeCertificates(body: Buffer): readonly X509Certificate[] {
  try {
    const certificates = signedDataCertificates(readBase64Body(body, LONGEST_BUNDLE)).map(
      (raw) => new X509Certificate(raw),
    );
    return certificates.toSorted((a, b) => Number(a.ca) - Number(b.ca));
  } catch (cause) {
    const why = cause instanceof HpsError ? cause.message : "malformed certificate";
    throw new HpsError("invalid", `not a certs-only PKCS#7: ${why}`, { cause });
  }
}

function signedDataCertificates(bytes: Buffer): readonly Buffer[] {
  const [type, wrapped] = readInside(readDer(bytes), TAG.sequence);
  if (!type?.raw.equals(SIGNED_DATA)) throw new HpsError("invalid", "not signed data");
  const [signedData] = readInside(wrapped, TAG.context0);
  const certificates = readInside(signedData, TAG.sequence).find((value) => value.tag === TAG.context0);
  if (certificates === undefined) throw new HpsError("invalid", "no certificates");
  const found = readInside(certificates, TAG.context0).map((value) => value.raw);
  if (found.length === 0 || found.length > MOST_CERTIFICATES) {
    throw new HpsError("invalid", `${found.length} certificates, expected 1 to ${MOST_CERTIFICATES}`);
  }
  return found;
}
