import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { createIntermediate, createRoot } from "../certs/authority.ts";
import { makeRequest, readRequest } from "../certs/csr.ts";
import { encryptedKeyPem } from "../certs/encrypted-key.ts";
import { makeKey, privateKeyPem, publicKeyDigest, readPrivateKeyPem } from "../certs/key.ts";
import { certificatesBody, decodeCertificates, encodeCertificates } from "../certs/pkcs7.ts";
import { DAY, makeChain, makePeer, PEERS } from "../certs/test-chain.ts";

/** What we write, OpenSSL reads; what OpenSSL writes, we read. */

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "hps-openssl-"));
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function openssl(...words: string[]): Promise<string> {
  const { stdout, stderr } = await run("openssl", words, { timeout: 20_000 });
  return stdout + stderr;
}

const chain = await makeChain();
const rootFile = await file("root.pem", chain.root.certificate.toString());
const intermediateFile = await file("intermediate.pem", chain.intermediate.certificate.toString());
const PURPOSE = { server: "sslserver", operator: "sslclient", installer: "sslclient", host: "sslclient" } as const;

test.each(Object.values(PEERS))(
  "openssl verifies a certificate of $kind, strictly, for its one purpose",
  async (identity) => {
    const { certificate } = await makePeer(chain, identity);
    const leaf = await file(`${identity.kind}.pem`, certificate.toString());
    const verify = (purpose: string) =>
      openssl("verify", "-x509_strict", "-CAfile", rootFile, "-untrusted", intermediateFile, "-purpose", purpose, leaf);
    const purpose = PURPOSE[identity.kind];
    expect(await verify(purpose)).toContain(": OK");
    const other = purpose === "sslserver" ? "sslclient" : "sslserver";
    await expect(verify(other)).rejects.toThrow(/unsuitable certificate purpose/);
    const alone = openssl("verify", "-CAfile", rootFile, leaf);
    await expect(alone).rejects.toThrow(/unable to get local issuer/);
  },
);

test("openssl shows what the profile says", async () => {
  const { certificate } = await makePeer(chain, PEERS.server);
  const text = await openssl("x509", "-noout", "-text", "-in", await file("text.pem", certificate.toString()));
  for (const part of [
    /Signature Algorithm: ecdsa-with-SHA256/,
    /Subject: CN = server hpsd\n/,
    /NIST CURVE: P-256/,
    /Basic Constraints: critical\n\s+CA:FALSE/,
    /X509v3 Key Usage: critical\n\s+Digital Signature\n/,
    /Extended Key Usage: ?\n\s+TLS Web Server Authentication\n/,
    /URI:spiffe:\/\/example.org\/server\/hpsd, DNS:localhost, DNS:hps.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n/,
  ]) {
    expect(text).toMatch(part);
  }
  const authority = await openssl("x509", "-noout", "-text", "-in", intermediateFile);
  expect(authority).toMatch(/Basic Constraints: critical\n\s+CA:TRUE, pathlen:0\n/);
  expect(authority).toMatch(/X509v3 Key Usage: critical\n\s+Certificate Sign, CRL Sign\n/);
  const keyId = (name: string, of: string) => new RegExp(`${name} Key Identifier: ?\\n\\s+([0-9A-F:]+)`).exec(of)?.[1];
  expect(keyId("Authority", text)).toBe(keyId("Subject", authority));
});

test("an intermediate cannot make another, and two of one root are both good", async () => {
  const { root, intermediate, now } = chain;
  const below = await createIntermediate(intermediate, { name: "Below", now, lifetime: DAY });
  const { certificate } = await makePeer({ ...chain, intermediate: below }, PEERS.host);
  const both = await file("both.pem", chain.intermediate.certificate.toString() + below.certificate.toString());
  const leaf = await file("below.pem", certificate.toString());
  const verify = (untrusted: string, path: string) =>
    openssl("verify", "-CAfile", rootFile, "-untrusted", untrusted, path);
  await expect(verify(both, leaf)).rejects.toThrow(/path length constraint exceeded/);
  const second = await createIntermediate(root, { name: "Test issuing", now, lifetime: DAY });
  const bundle = await file("two.pem", intermediate.certificate.toString() + second.certificate.toString());
  for (const issuer of [intermediate, second]) {
    const peer = await makePeer({ ...chain, intermediate: issuer }, PEERS.host);
    expect(await verify(bundle, await file("peer.pem", peer.certificate.toString()))).toContain(": OK");
  }
});

test("a life past 2049 is written as RFC 5280 wants it", async () => {
  const options = { trustDomain: "example.org", name: "Far", now: Date.now(), lifetime: 36_500 * DAY };
  const { certificate } = await createRoot(options);
  const path = await file("far.pem", certificate.toString());
  expect(await openssl("verify", "-x509_strict", "-CAfile", path, path)).toContain(": OK");
});

test("openssl reads our request, and we read openssl's", async () => {
  const ours = await file("ours.der", makeRequest(makeKey()));
  expect(await openssl("req", "-inform", "DER", "-in", ours, "-noout", "-verify")).toMatch(/verify OK/);
  const key = join(folder, "their.key");
  await openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key);
  const extras = ["-subj", "/CN=root/O=admins", "-addext", "subjectAltName=URI:spiffe://example.org/operator/root"];
  const theirs = await openssl("req", "-new", "-key", key, "-sha256", ...extras, "-outform", "PEM");
  const body = theirs.replace(/-----[^-]+-----/g, "");
  const digest = publicKeyDigest(readRequest(Buffer.from(body)));
  const spki = join(folder, "their.spki");
  await openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", spki);
  expect(await openssl("dgst", "-sha256", spki)).toContain(digest);
  const rsa = await openssl(
    "req",
    "-new",
    "-newkey",
    "rsa:2048",
    "-noenc",
    "-keyout",
    join(folder, "rsa.key"),
    "-subj",
    "/CN=x",
  );
  const rsaBody = /-----BEGIN CERTIFICATE REQUEST-----([^-]+)-----/.exec(rsa)?.[1] ?? "";
  expect(() => readRequest(Buffer.from(rsaBody))).toThrow(/not signed with ECDSA/);
});

test("openssl reads our PKCS#7 from DER and from the EST body, and we read openssl's", async () => {
  const { certificate } = await makePeer(chain, PEERS.installer);
  const certificates = [certificate, chain.intermediate.certificate];
  const pkcs7 = await file("ours.p7", encodeCertificates(certificates));
  const printed = await openssl("pkcs7", "-inform", "DER", "-in", pkcs7, "-print_certs");
  expect(printed.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(2);
  expect(printed).toContain(certificate.toString().trim());
  const decoded = join(folder, "decoded.p7");
  await openssl("base64", "-d", "-in", await file("body", certificatesBody(certificates)), "-out", decoded);
  expect(await openssl("pkcs7", "-inform", "DER", "-in", decoded, "-print_certs")).toBe(printed);
  const pem = await file("pem", certificates.map((each) => each.toString()).join(""));
  const theirs = join(folder, "theirs.p7");
  await openssl("crl2pkcs7", "-nocrl", "-certfile", pem, "-outform", "DER", "-out", theirs);
  const body = await openssl("base64", "-in", theirs);
  expect(decodeCertificates(Buffer.from(body)).map((each) => each.fingerprint256)).toEqual(
    certificates.map((each) => each.fingerprint256),
  );
});

test("openssl opens our encrypted key, and we open openssl's", async () => {
  const { privateKey } = makeKey();
  const ours = await file("ours.key", encryptedKeyPem(privateKey, "correct horse"));
  const clear = await openssl("pkey", "-in", ours, "-passin", "pass:correct horse");
  expect(clear).toBe(privateKeyPem(privateKey));
  await expect(openssl("pkey", "-in", ours, "-passin", "pass:wrong horse")).rejects.toThrow();
  expect(await openssl("asn1parse", "-in", ours)).toMatch(/:scrypt[\s\S]*:4000\n[\s\S]*aes-256-cbc/);
  const theirs = await openssl(
    "pkcs8",
    "-topk8",
    "-in",
    ours,
    "-passin",
    "pass:correct horse",
    "-passout",
    "pass:other",
  );
  const read = readPrivateKeyPem(theirs, "other");
  expect(read.equals(privateKey)).toBe(true);
});
