import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { afterAll, expect, test } from "vitest";
import { pairCredentials, readCredentialFiles, tlsKeyPair } from "./credentials.ts";
import { writeCertificatesFile, writePrivateKeyFile } from "./files.ts";
import { makeKey, privateKeyPem } from "./key.ts";
import { makeChain, makePeer, PEERS } from "./test-chain.ts";

const folder = await mkdtemp(join(tmpdir(), "hps-credentials-"));
afterAll(() => rm(folder, { recursive: true }));

test("key and chain come back from their files as TLS wants them", async () => {
  const chain = await makeChain();
  const { certificate, privateKey } = await makePeer(chain, PEERS.host);
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  await writePrivateKeyFile(key, privateKeyPem(privateKey));
  await writeCertificatesFile(cert, [certificate, chain.intermediate.certificate]);
  const read = await readCredentialFiles(key, cert);
  const pair = tlsKeyPair(read);
  expect(pair.cert).toBe(certificate.toString() + chain.intermediate.certificate.toString());
  expect(() => createSecureContext(pair)).not.toThrow();
  expect(() => pairCredentials(makeKey().privateKey, [certificate])).toThrow(/not for this private key/);
  expect(() => pairCredentials(privateKey, [])).toThrow(/not for this private key/);
});
