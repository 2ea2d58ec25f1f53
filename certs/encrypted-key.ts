import { createCipheriv, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { der, derInteger, derOid, TAG } from "./der.ts";

/** What one guess at a passphrase costs: scrypt's parameters. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP's figures for scrypt; 16 MiB, so OpenSSL's own limit of 32 MiB lets every tool read the file. */
const SCRYPT: ScryptCost = { N: 2 ** 14, r: 8, p: 5 };

const SHORTEST_PASSPHRASE = 8;

/**
 * The key as PEM, PKCS#8 under PBES2 with scrypt (RFC 7914) and AES-256-CBC, readable by openssl too. Node's own export would do, but it
 * derives the key with 2048 rounds of PBKDF2, which a stolen root key file would not survive for long.
 */
export function encryptedKeyPem(privateKey: KeyObject, passphrase: string, cost = SCRYPT): string {
  if (Buffer.byteLength(passphrase) < SHORTEST_PASSPHRASE) {
    throw new HpsError("invalid", `a passphrase needs at least ${SHORTEST_PASSPHRASE} bytes`);
  }
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const cipher = createCipheriv("aes-256-cbc", scryptSync(passphrase, salt, 32, cost), iv);
  const plain = privateKey.export({ type: "pkcs8", format: "der" });
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  return pem("ENCRYPTED PRIVATE KEY", der(TAG.sequence, pbes2(salt, iv, cost), der(TAG.octetString, encrypted)));
}

function pbes2(salt: Buffer, iv: Buffer, { N, r, p }: ScryptCost): Buffer {
  const parameters = der(TAG.sequence, der(TAG.octetString, salt), ...[N, r, p].map(derInteger));
  const derivation = der(TAG.sequence, derOid("1.3.6.1.4.1.11591.4.11"), parameters);
  const cipher = der(TAG.sequence, derOid("2.16.840.1.101.3.4.1.42"), der(TAG.octetString, iv));
  return der(TAG.sequence, derOid("1.2.840.113549.1.5.13"), der(TAG.sequence, derivation, cipher));
}

/** RFC 7468 text of `bytes`. */
function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
