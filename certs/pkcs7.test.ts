import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { certificatesBody, decodeCertificates, encodeCertificates } from "./pkcs7.ts";
import { makeChain, makePeer, PEERS } from "./test-chain.ts";

const chain = await makeChain();
const { certificate: leaf } = await makePeer(chain, PEERS.installer);
const intermediate = chain.intermediate.certificate;

test("certificates come back, leaf first, from DER and base64", () => {
  for (const order of [
    [leaf, intermediate],
    [intermediate, leaf],
  ]) {
    for (const body of [encodeCertificates(order), Buffer.from(certificatesBody(order))]) {
      expect(decodeCertificates(body).map((found) => found.fingerprint256)).toEqual([
        leaf.fingerprint256,
        intermediate.fingerprint256,
      ]);
    }
  }
});

test("hostile bytes are refused as invalid", () => {
  const whole = encodeCertificates([leaf]);
  const bent = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ bits, at);
    return bytes;
  });
  const torn = fc.nat(whole.length - 1).map((length) => whole.subarray(0, length));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(bent, torn, any), (body) => {
      try {
        for (const found of decodeCertificates(body)) expect(found).toBeInstanceOf(X509Certificate);
      } catch (error) {
        expect(error).toMatchObject({ name: "HpsError", code: "invalid" });
      }
    }),
    { numRuns: 500 },
  );
  expect(() => decodeCertificates(encodeCertificates([]))).toThrow(/0 certificates/);
  expect(() => decodeCertificates(encodeCertificates(Array.from({ length: 33 }, () => leaf)))).toThrow(
    /33 certificates/,
  );
});
