import type { KeyObject, X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { readCertificatesFile, readPrivateKeyFile } from "./files.ts";
import { privateKeyPem, readPrivateKeyPem } from "./key.ts";

/** What a program proves itself with: its certificate, the intermediates above it, and the key. */
export interface Credentials {
  readonly certificate: X509Certificate;
  readonly intermediates: readonly X509Certificate[];
  readonly privateKey: KeyObject;
}

/** Puts a key and its chain (leaf first, as `decodeCertificates` gives it) together; refuses another key's certificate. */
export function pairCredentials(privateKey: KeyObject, chain: readonly X509Certificate[]): Credentials {
  const [certificate, ...intermediates] = chain;
  if (certificate?.checkPrivateKey(privateKey) !== true) {
    throw new HpsError("invalid", "the certificate is not for this private key");
  }
  return { certificate, intermediates, privateKey };
}

/** Reads both files, with every check of `readPrivateKeyFile`. */
export async function readCredentialFiles(keyPath: string, chainPath: string): Promise<Credentials> {
  const privateKey = readPrivateKeyPem(await readPrivateKeyFile(keyPath));
  return pairCredentials(privateKey, await readCertificatesFile(chainPath));
}

/** `key` and `cert` in PEM for tls and grpc-js: the intermediates go along, because the peer knows only the root. */
export function tlsKeyPair({ certificate, intermediates, privateKey }: Credentials): { key: string; cert: string } {
  return { key: privateKeyPem(privateKey), cert: [certificate, ...intermediates].join("") };
}
