import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeRequest, readRequest, requestBody } from "./csr.ts";
import { der, derInteger, derOid, TAG } from "./der.ts";
import { makeKey, publicKeyDigest } from "./key.ts";

const key = makeKey();
const digest = publicKeyDigest(key.publicKey);

test("a request gives its key in every encoding EST allows", () => {
  const request = makeRequest(key);
  const base64 = request.toString("base64");
  const bodies = [requestBody(key), base64, base64.replace(/.{76}/g, "$&\r\n"), `${base64}\n`, ` ${base64} `];
  for (const body of [request, ...bodies.map((text) => Buffer.from(text))]) {
    expect(publicKeyDigest(readRequest(body))).toBe(digest);
  }
});

test("a request with one byte changed anywhere is refused: the key is proven, not believed", () => {
  const request = makeRequest(key);
  for (let at = 0; at < request.length; at++) {
    const bent = Buffer.from(request);
    bent.writeUInt8(bent.readUInt8(at) ^ 0x01, at);
    expect(() => readRequest(bent), `byte ${at}`).toThrow(/^not an acceptable certificate request: /);
  }
});

test("hostile bytes are refused as invalid, with a hint", () => {
  const request = makeRequest(key);
  const torn = fc.nat(request.length - 1).map((length) => request.subarray(0, length));
  const mixed = fc
    .tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(request.length))
    .map(([bytes, at]) => Buffer.concat([request.subarray(0, at), bytes, request.subarray(at)]))
    .filter((bytes) => !bytes.equals(request));
  const any = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  const text = fc.string({ maxLength: 400 }).map((characters) => Buffer.from(characters));
  fc.assert(
    fc.property(fc.oneof(torn, mixed, any, text), (body) => {
      const refused = expect.objectContaining({ code: "invalid", hint: expect.stringContaining("P-256") });
      expect(() => readRequest(body)).toThrow(refused);
    }),
    { numRuns: 1000 },
  );
  expect(() => readRequest(Buffer.alloc(64 * 1024, "A"))).toThrow(/more than 16384 bytes/);
});

function requestOf(spki: Buffer, signature: (info: Buffer) => Buffer, algorithm = "1.2.840.10045.4.3.2"): Buffer {
  const info = der(TAG.sequence, derInteger(0), der(TAG.sequence), spki, der(TAG.context0));
  const bits = der(TAG.bitString, Buffer.from([0]), signature(info));
  return der(TAG.sequence, info, der(TAG.sequence, derOid(algorithm)), bits);
}

test("only P-256, uncompressed, on the curve, signed with SHA-256 by the key itself", () => {
  const spki = key.publicKey.export({ type: "spki", format: "der" });
  const bySelf = (info: Buffer) => sign("sha256", info, key.privateKey);
  expect(publicKeyDigest(readRequest(requestOf(spki, bySelf)))).toBe(digest);
  expect(() => readRequest(requestOf(spki, bySelf, "1.2.840.10045.4.3.3"))).toThrow(
    /not signed with ECDSA and SHA-256/,
  );
  expect(() => readRequest(requestOf(spki, (info) => sign("sha256", info, makeKey().privateKey)))).toThrow(
    /not by its key/,
  );
  for (const other of [generateKeyPairSync("ec", { namedCurve: "secp384r1" }), generateKeyPairSync("ed25519")]) {
    const der = other.publicKey.export({ type: "spki", format: "der" });
    expect(() => readRequest(requestOf(der, bySelf))).toThrow(/not an uncompressed P-256 key/);
  }
  const offCurve = Buffer.concat([spki.subarray(0, -1), Buffer.from([spki.readUInt8(90) ^ 1])]);
  expect(() => readRequest(requestOf(offCurve, bySelf))).toThrow(/malformed/);
});
