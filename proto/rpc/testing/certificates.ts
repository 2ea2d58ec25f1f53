/** Certificates for the tests of proto/rpc: made here, so that they do not depend on what they help to test. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR = 3_600_000;

export interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly pem: string;
}

export interface Leaf {
  readonly key: string;
  readonly cert: string;
  /** Leaf alone, DER. */
  readonly der: Buffer;
}

let serial = 1;

function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** A root, a server and a client. */
export interface Party {
  readonly root: Authority;
  readonly server: Leaf;
  readonly client: Leaf;
}

let party: Promise<Party> | undefined;

/** The same for all tests of this process: making one takes longer than most of what is tried with it. */
export function sharedParty(): Promise<Party> {
  party ??= makeParty();
  return party;
}

async function makeParty(): Promise<Party> {
  const root = await makeAuthority("root");
  const [server, client] = await Promise.all([makeLeaf(root, { name: "server" }), makeLeaf(root, { name: "client" })]);
  return { root, server, client };
}

/** A root, or an intermediate below `issuer`. */
export async function makeAuthority(name: string, issuer?: Authority): Promise<Authority> {
  const keys = await keyPair();
  serial += 1;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(4, "0"),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(Date.now() - 48 * HOUR),
    notAfter: new Date(Date.now() + 48 * HOUR),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate, keys, pem: certificate.toString("pem") };
}

export interface LeafOptions {
  readonly name: string;
  readonly dns?: readonly string[];
  /** Hours from now; negative: expired. */
  readonly hours?: number;
}

/** A certificate of `issuer`; one of an intermediate comes with it in `cert`. */
export async function makeLeaf(issuer: Authority, options: LeafOptions): Promise<Leaf> {
  const keys = await keyPair();
  serial += 1;
  const names = (options.dns ?? ["localhost"]).map((value) => ({ type: "dns" as const, value }));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(4, "0"),
    subject: `CN=${options.name}`,
    issuer: issuer.certificate.subject,
    notBefore: new Date(Date.now() - 24 * HOUR),
    notAfter: new Date(Date.now() + (options.hours ?? 24) * HOUR),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    extensions: [new SubjectAlternativeNameExtension([...names, { type: "ip", value: "127.0.0.1" }])],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  const selfSigned = issuer.certificate.subject === issuer.certificate.issuer;
  const chain = selfSigned ? [] : [issuer.pem];
  return { key, cert: [certificate.toString("pem"), ...chain].join("\n"), der: Buffer.from(certificate.rawData) };
}
