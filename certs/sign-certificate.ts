import "reflect-metadata";
import { type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  X509Certificate as ParsedCertificate,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { keyIdentifier, publicKeyDer } from "./key.ts";

/** Everything that goes into one certificate. Times are UTC milliseconds; certificates keep whole seconds. */
export interface CertificateContent {
  /** For people: nothing decides by it. */
  readonly commonName: string;
  readonly names: JsonGeneralNames;
  readonly publicKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Object identifier of a leaf's use, or how many authorities may follow an authority. */
  readonly role: { readonly usage: string } | { readonly pathLength: number };
}

/** Who signs: a root signs itself. */
export interface Signer {
  readonly subject: Name;
  readonly privateKey: KeyObject;
  /** Hex, as in the signer's own certificate. */
  readonly keyIdentifier: string;
}

const ECDSA = { name: "ECDSA", namedCurve: "P-256" } as const;

/** The signer that holds this authority's key; name and key identifier are the certificate's own, so chains match. */
export function signerOf(authority: X509Certificate, privateKey: KeyObject): Signer {
  const parsed = new ParsedCertificate(authority.raw);
  const written = parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  return {
    subject: parsed.subjectName,
    privateKey,
    keyIdentifier: written ?? keyIdentifier(authority.publicKey),
  };
}

/** Signs `content`. */
export async function signCertificate(signer: Signer, content: CertificateContent): Promise<X509Certificate> {
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: subjectName(content.commonName),
    issuer: signer.subject,
    notBefore: wholeSecond(content.notBefore),
    notAfter: wholeSecond(content.notAfter),
    publicKey: publicKeyDer(content.publicKey),
    signingKey: signer.privateKey.toCryptoKey(ECDSA, false, ["sign"]),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [...roleExtensions(content.role), ...nameExtensions(signer, content)],
  });
  return new X509Certificate(Buffer.from(certificate.rawData));
}

function roleExtensions(role: CertificateContent["role"]): readonly Extension[] {
  if ("pathLength" in role) {
    return [
      new BasicConstraintsExtension(true, role.pathLength, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ];
  }
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([role.usage]),
  ];
}

function nameExtensions(signer: Signer, content: CertificateContent): readonly Extension[] {
  return [
    new SubjectAlternativeNameExtension(content.names),
    new SubjectKeyIdentifierExtension(keyIdentifier(content.publicKey)),
    new AuthorityKeyIdentifierExtension(signer.keyIdentifier),
  ];
}

/** A name that is one common name, cut to 64 characters (RFC 5280's bound). */
export function subjectName(commonName: string): Name {
  return new Name([{ CN: [{ utf8String: commonName.slice(0, 64) }] }]);
}

function wholeSecond(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000);
}

/** 128 bits, positive and always 32 hex digits: the two top bits are 01, the other 126 random. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString("hex");
}
