import { createPrivateKey, type KeyObject } from "node:crypto";
import { publicKeyBytes, signBytes } from "../../proto/image/signing-key.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import type { Terminal } from "../output/terminal.ts";
import { readSecret } from "./secret.ts";
import type { Signer } from "./signer.ts";
import { readSmallFile } from "./small-file.ts";

/** Signs with a private key in a PKCS#8 file, PEM; one under a passphrase is asked for it. */
export async function fileSigner(
  terminal: Terminal,
  path: string,
  passphraseFile: string | undefined,
): Promise<Signer> {
  const pem = await readSmallFile(path, "the key that signs");
  const isEncrypted = pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  const question = `Passphrase of ${quote(path, 200)}: `;
  const passphrase = isEncrypted ? await readSecret(terminal, question, passphraseFile) : undefined;
  const key = parse(path, pem, passphrase);
  return { publicKey: publicKeyBytes(key), sign: async (bytes) => signBytes(bytes, key) };
}

function parse(path: string, pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: "pem", ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    const why = passphrase === undefined ? "is no private key in PEM" : "is not opened by that passphrase";
    throw new HpsError("invalid", `${quote(path, 200)} ${why}`, {
      hint: "a key that signs images is made so: openssl genpkey -algorithm ed25519 -aes-256-cbc -out image.key",
      cause,
    });
  }
}
