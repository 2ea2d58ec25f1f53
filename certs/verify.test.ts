import { sign, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createIntermediate, createRoot, openAuthority } from "./authority.ts";
import { der, readDer, readInside, TAG } from "./der.ts";
import { trustDomainUri } from "./identity.ts";
import { issue } from "./issue.ts";
import { makeKey, publicKeyDigest } from "./key.ts";
import { type CertificateContent, signCertificate, signerOf } from "./sign-certificate.ts";
import { DAY, makeChain, makePeer, PEERS } from "./test-chain.ts";
import { createTrust } from "./trust.ts";
import { verifyPeer } from "./verify.ts";

const chain = await makeChain();
const { root, intermediate, now } = chain;
const trust = createTrust([root.certificate], [intermediate.certificate]);

function verify(certificate: X509Certificate, options = {}) {
  return verifyPeer(trust, { leaf: certificate.raw, now, purpose: "client", ...options });
}

const uri = (value: string) => ({ type: "url" as const, value });

function refused(reason: string) {
  return expect.objectContaining({ code: "unauthenticated", details: { reason } });
}

test.each(Object.values(PEERS))("a certificate of $kind says who it is", async (identity) => {
  const { certificate } = await makePeer(chain, identity);
  const purpose = identity.kind === "server" ? "server" : "client";
  // Twice: the second answer comes from memory.
  for (const peer of [verify(certificate, { purpose }), verify(certificate, { purpose })]) {
    expect(peer).toEqual({
      identity,
      trustDomain: "example.org",
      uri: `${trustDomainUri("example.org")}/${identity.kind}/${"name" in identity ? identity.name : identity.id}`,
      serial: certificate.serialNumber.toLowerCase(),
      issuerSerial: intermediate.certificate.serialNumber.toLowerCase(),
      fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      publicKeyDigest: publicKeyDigest(certificate.publicKey),
      notBefore: certificate.validFromDate.getTime(),
      notAfter: certificate.validToDate.getTime(),
    });
    expect(peer.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  }
  const other = purpose === "server" ? "client" : "server";
  expect(() => verify(certificate, { purpose: other })).toThrow(refused("usage"));
});

test("times are asked at every call, of every certificate of the chain", async () => {
  const { certificate } = await makePeer(chain, PEERS.host);
  const { notAfter, notBefore } = verify(certificate);
  expect(now - notBefore).toBeGreaterThanOrEqual(60_000);
  expect(() => verify(certificate, { now: notBefore - 1 })).toThrow(refused("not-yet-valid"));
  expect(verify(certificate, { now: notAfter }).notAfter).toBe(notAfter);
  expect(() => verify(certificate, { now: notAfter + 1 })).toThrow(refused("expired"));
  expect(() => verify(certificate, { now: notAfter + 1 })).toThrow(/of host .* expired at 2/);
  expect(verify(certificate, { now: notAfter + DAY, grace: DAY }).notAfter).toBe(notAfter);
  expect(() => verify(certificate, { now: notAfter + DAY + 1, grace: DAY })).toThrow(refused("expired"));
  expect(() => verify(certificate, { now: Number.NaN })).toThrow(refused("not-yet-valid"));
  const afterIntermediate = { now: now + 2000 * DAY, grace: 3000 * DAY };
  expect(() => verify(certificate, afterIntermediate)).toThrow(/the intermediate .* expired/);
});

test("another authority's certificate is untrusted, whatever it calls itself", async () => {
  const other = await makeChain();
  const { certificate } = await makePeer(other, PEERS.operator);
  expect(() => verify(certificate)).toThrow(refused("untrusted"));
  expect(() => verify(root.certificate)).toThrow(refused("untrusted"));
  const direct = await issue(
    { ...root },
    { identity: PEERS.operator, publicKey: makeKey().publicKey, now, lifetime: DAY },
  );
  expect(() => verify(direct)).toThrow(refused("untrusted"));
  // Same names and key identifier, other key: only the signature tells.
  const forged = { ...intermediate, privateKey: makeKey().privateKey };
  const byForger = await issue(forged, {
    identity: PEERS.operator,
    publicKey: makeKey().publicKey,
    now,
    lifetime: DAY,
  });
  expect(byForger.checkIssued(intermediate.certificate)).toBe(true);
  expect(() => verify(byForger)).toThrow(refused("untrusted"));
});

async function signed(content: Partial<CertificateContent>): Promise<X509Certificate> {
  return signCertificate(signerOf(intermediate.certificate, intermediate.privateKey), {
    commonName: "odd",
    names: [{ type: "url", value: "spiffe://example.org/operator/alice" }],
    publicKey: makeKey().publicKey,
    notBefore: now,
    notAfter: now + DAY,
    role: { usage: "1.3.6.1.5.5.7.3.2" },
    ...content,
  });
}

/** The certificate with some bytes of its content replaced, signed again by its issuer. */
function resigned(certificate: X509Certificate, from: string, to: string, issuer = intermediate): X509Certificate {
  const [content, algorithm] = readInside(readDer(certificate.raw), TAG.sequence);
  if (content === undefined || algorithm === undefined) throw new Error("not a certificate");
  const changed = Buffer.from(content.raw.toString("hex").replace(from, to), "hex");
  const signature = der(TAG.bitString, Buffer.from([0]), sign("sha256", changed, issuer.privateKey));
  return new X509Certificate(der(TAG.sequence, changed, algorithm.raw, signature));
}

test("even signed by us, a certificate needs one identity, ours, and no authority", async () => {
  expect(verify(await signed({})).identity).toEqual(PEERS.operator);
  const alice = "spiffe://example.org/operator/alice";
  const odd = [
    [],
    [uri(alice), uri("spiffe://example.org/operator/bob")],
    [uri(alice), uri(alice)],
    [uri("spiffe://example.org")],
    [uri("spiffe://example.com/operator/alice")],
    [uri("https://example.org/operator/alice")],
    [uri(`${alice}, URI:spiffe://example.org/operator/bob`)],
    [{ type: "dns" as const, value: `x, URI:${alice}` }],
    [{ type: "email" as const, value: `"a, URI:${alice}"@example.org` }],
  ];
  for (const names of odd) {
    const certificate = await signed({ names });
    expect(() => verify(certificate), certificate.subjectAltName ?? "no names").toThrow(refused("identity"));
  }
  const authority = await signed({ role: { pathLength: 0 } });
  expect(() => verify(authority)).toThrow(refused("usage"));
  const encipher = resigned(await signed({}), "03020780", "030205a0");
  expect(encipher.checkIssued(intermediate.certificate)).toBe(true);
  expect(() => verify(encipher)).toThrow(refused("usage"));
  expect(verify(resigned(encipher, "030205a0", "03020780")).identity).toEqual(PEERS.operator);
});

test("bytes that are no certificate are malformed", async () => {
  const { certificate } = await makePeer(chain, PEERS.host);
  const padded = Buffer.concat([certificate.raw, Buffer.from([0])]);
  for (const leaf of [
    Buffer.of(),
    Buffer.from("nonsense"),
    certificate.raw.subarray(0, -1),
    padded,
    Buffer.from(certificate.toString()),
  ]) {
    expect(() => verifyPeer(trust, { leaf, now, purpose: "client" })).toThrow(refused("malformed"));
  }
  const bent = Buffer.from(certificate.raw);
  bent.writeUInt8(bent.readUInt8(bent.length - 1) ^ 1, bent.length - 1);
  expect(() => verifyPeer(trust, { leaf: bent, now, purpose: "client" })).toThrow(refused("untrusted"));
});

test("two intermediates are believed at once, and one taken out is believed no more", async () => {
  const second = await createIntermediate(root, { name: "Test issuing", now, lifetime: 100 * DAY });
  const old = (await makePeer(chain, PEERS.host)).certificate;
  const young = (await makePeer({ ...chain, intermediate: second }, PEERS.host)).certificate;
  const both = createTrust([root.certificate], [intermediate.certificate, second.certificate]);
  const serials = [old, young].map((leaf) => verifyPeer(both, { leaf: leaf.raw, now, purpose: "client" }).issuerSerial);
  expect(serials).toEqual([intermediate, second].map(({ certificate }) => certificate.serialNumber.toLowerCase()));
  const after = createTrust([root.certificate], [second.certificate]);
  expect(() => verifyPeer(after, { leaf: old.raw, now, purpose: "client" })).toThrow(refused("untrusted"));
  expect(verifyPeer(after, { leaf: young.raw, now, purpose: "client" }).identity).toEqual(PEERS.host);
});

test("a trust is of one domain, of roots that sign themselves and intermediates they signed", async () => {
  const other = await makeChain("example.com");
  const same = await makeChain();
  expect(() => createTrust([], [])).toThrow(/no root/);
  expect(() => createTrust([root.certificate, other.root.certificate], [])).toThrow(/several trust domains/);
  expect(() => createTrust([intermediate.certificate], [])).toThrow(/is not a root/);
  expect(() => createTrust([root.certificate], [same.intermediate.certificate])).toThrow(
    /not signed by a trusted root/,
  );
});

test("who only has an authority's key usage is none", async () => {
  const content = { commonName: "lame", names: [uri("spiffe://example.org")] };
  const life = { publicKey: makeKey().publicKey, notBefore: now, notAfter: now + DAY };
  const role = { usage: "1.3.6.1.5.5.7.3.2" };
  const leaf = await signCertificate(signerOf(root.certificate, root.privateKey), { ...content, ...life, role });
  const lame = resigned(leaf, "03020780", "03020106", root);
  expect(lame.ca).toBe(false);
  expect(lame.verify(root.certificate.publicKey)).toBe(true);
  expect(() => createTrust([root.certificate], [lame])).toThrow("CN=lame is not a certificate authority");
});

test("a root that is over takes all below it along", async () => {
  const short = await createRoot({ trustDomain: "example.org", name: "Short", now, lifetime: DAY });
  const { publicKey, privateKey } = makeKey();
  const content = { commonName: "Long", names: [uri("spiffe://example.org")], publicKey };
  const life = { notBefore: now, notAfter: now + 9 * DAY, role: { pathLength: 0 } };
  const certificate = await signCertificate(signerOf(short.certificate, short.privateKey), { ...content, ...life });
  const long = openAuthority(certificate, privateKey);
  const peer = await makePeer({ ...chain, intermediate: long }, PEERS.host, { lifetime: 5 * DAY });
  const both = createTrust([short.certificate], [certificate]);
  const at = (time: number) => verifyPeer(both, { leaf: peer.certificate.raw, now: time, purpose: "client" });
  expect(at(now).identity).toEqual(PEERS.host);
  expect(() => at(now + 2 * DAY)).toThrow(/the root certificate expired/);
});

test("an authority is opened with its own key only", async () => {
  const opened = openAuthority(intermediate.certificate, intermediate.privateKey);
  expect(opened.trustDomain).toBe("example.org");
  const { certificate } = await makePeer({ ...chain, intermediate: opened }, PEERS.host);
  expect(verify(certificate).identity).toEqual(PEERS.host);
  expect(() => openAuthority(intermediate.certificate, makeKey().privateKey)).toThrow(/private key is not/);
  const leaf = await makePeer(chain, PEERS.host);
  expect(() => openAuthority(leaf.certificate, leaf.privateKey)).toThrow(/not a certificate authority's/);
});
